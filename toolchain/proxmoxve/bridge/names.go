package bridge

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	pulumi "github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

type dispatchTable = muxer.DispatchTable

const (
	terraformPrefix = "proxmox"
	legacyPrefix    = "virtual_environment_"
	defaultModule   = "index"
)

// place turns a Terraform name into a Pulumi module and class:
// proxmox_sdn_zone_vlan becomes ("sdn/zone", "Vlan"), and
// proxmox_virtual_environment_vm becomes ("index", "VmLegacy").
func place(terraform string) (module, class string, err error) {
	rest, found := strings.CutPrefix(terraform, terraformPrefix+"_")
	if !found {
		return "", "", fmt.Errorf("%q does not start with %q", terraform, terraformPrefix+"_")
	}
	suffix := ""
	if short, legacy := strings.CutPrefix(rest, legacyPrefix); legacy {
		rest, suffix = short, "Legacy"
	}
	module = defaultModule
	if cut := strings.LastIndex(rest, "_"); cut >= 0 {
		module, rest = strings.ReplaceAll(rest[:cut], "_", "/"), rest[cut+1:]
	}
	if rest == "" {
		return "", "", fmt.Errorf("%q names nothing after its prefix", terraform)
	}
	return module, string(unicode.ToUpper(rune(rest[0]))) + rest[1:] + suffix, nil
}

// strategy names every resource and data source of the Terraform provider.
func strategy() tfbridge.Strategy {
	join := tokens.MakeStandard(Name)
	return tfbridge.Strategy{
		Resource: func(terraform string, resource *tfbridge.ResourceInfo) error {
			module, class, err := place(terraform)
			if err != nil {
				return err
			}
			token, err := join(module, class)
			resource.Tok = pulumi.Type(token)
			return err
		},
		DataSource: func(terraform string, source *tfbridge.DataSourceInfo) error {
			module, class, err := place(terraform)
			if err != nil {
				return err
			}
			token, err := join(module, "get"+class)
			source.Tok = pulumi.ModuleMember(token)
			return err
		},
	}
}
