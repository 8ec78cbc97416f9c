// Package bridge describes the Proxmox VE provider to Pulumi: the Terraform
// provider's two halves joined into one, every name mapped to the token that
// the published Python SDK registers, and every resource given an identifier.
package bridge

import (
	"context"
	"fmt"

	"github.com/bpg/terraform-provider-proxmox/fwprovider"
	"github.com/bpg/terraform-provider-proxmox/proxmoxtf/provider"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
)

const (
	// Name is the Pulumi package; the plugin's file is named after it.
	Name = "proxmoxve"
	// Version is the Python SDK's version that this build serves.
	Version = "8.6.0"

	sdkRepository = "https://github.com/muhlba91/pulumi-proxmoxve"
)

// muxed is the part of the joined provider that says which half owns a token.
type muxed interface {
	ResolveDispatch(info *tfbridge.ProviderInfo) (dispatchTable, error)
}

// Provider builds the description. It talks to nothing and reads no file.
func Provider(ctx context.Context) (tfbridge.ProviderInfo, error) {
	joined := pfbridge.MuxShimWithPF(
		ctx, shimv2.NewProvider(provider.ProxmoxVirtualEnvironment()), fwprovider.New(Version)())
	info := tfbridge.ProviderInfo{
		P:              joined,
		Name:           Name,
		ResourcePrefix: terraformPrefix,
		DisplayName:    "Proxmox Virtual Environment",
		Description:    "Proxmox VE resources for the published Python SDK, built from public Go modules.",
		License:        "MPL-2.0",
		Repository:     sdkRepository,
		GitHubOrg:      "bpg",
		Version:        Version,
		Resources:      identified(joined),
		Python:         &tfbridge.PythonInfo{PackageName: "pulumi_proxmoxve", RespectSchemaVersion: true},
		MetadataInfo:   tfbridge.NewProviderMetadata([]byte("{}")),
	}
	if err := info.ComputeTokens(strategy()); err != nil {
		return info, fmt.Errorf("map Terraform names to Pulumi tokens: %w", err)
	}
	info.SetAutonaming(255, "-")
	return info, dispatch(&info)
}

// dispatch stores which half serves which token where the bridge looks for it.
// It is computed at each start (milliseconds), so no file has to agree with the code.
func dispatch(info *tfbridge.ProviderInfo) error {
	owner, ok := info.P.(muxed)
	if !ok {
		return fmt.Errorf("the joined provider %T cannot say which half owns a token", info.P)
	}
	table, err := owner.ResolveDispatch(info)
	if err != nil {
		return fmt.Errorf("assign tokens to provider halves: %w", err)
	}
	return metadata.Set(info.GetMetadata(), "mux", table)
}
