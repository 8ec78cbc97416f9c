// Command schema writes the Pulumi schema of the provider to the file named by
// its argument. It fails on any error the bridge reports about the mapping.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"

	"practicum/toolchain/proxmoxve/bridge"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: schema FILE"))
	}
	if err := write(context.Background(), os.Args[1]); err != nil {
		fail(err)
	}
}

func write(ctx context.Context, path string) error {
	info, err := bridge.Provider(ctx)
	if err != nil {
		return err
	}
	// Warnings are about documentation links and examples in other languages.
	sink := diag.DefaultSink(io.Discard, os.Stderr, diag.FormatOptions{Color: colors.Never})
	result, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{
		ProviderInfo:    info,
		DiagnosticsSink: sink,
		XInMemoryDocs:   true,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, result.ProviderMetadata.PackageSchema, 0o644)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "schema:", err)
	os.Exit(1)
}
