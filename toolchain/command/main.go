// Command pulumi-resource-command is a Pulumi provider plugin for the package `command`: commands and
// copies as resources, on this machine or on others through SSH. Its schema is that of the published
// release 1.2.1, so the published SDKs work with it.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"practicum/toolchain/command/internal/server"
)

// version is the release whose schema this is.
var version = "1.2.1"

func main() {
	err := provider.Main(server.Name, func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		return server.New(version, host), nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
