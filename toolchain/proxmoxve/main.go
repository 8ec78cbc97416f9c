// Command pulumi-resource-proxmoxve is the Pulumi resource plugin for Proxmox VE.
package main

import (
	"context"
	"embed"
	"fmt"
	"os"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"

	"practicum/toolchain/proxmoxve/bridge"
)

// The build writes generated/schema.json with cmd/schema before it compiles this
// command; the folder itself is always there, so the package can be checked without it.
//
//go:embed generated
var generated embed.FS

func main() {
	ctx := context.Background()
	schema, err := generated.ReadFile("generated/schema.json")
	if err != nil {
		fail(fmt.Errorf("this plugin was compiled without its schema; build it with `python -m toolchain build`: %w", err))
	}
	info, err := bridge.Provider(ctx)
	if err != nil {
		fail(err)
	}
	pfbridge.MainWithMuxer(ctx, bridge.Name, info, schema)
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "pulumi-resource-%s: %v\n", bridge.Name, err)
	os.Exit(1)
}
