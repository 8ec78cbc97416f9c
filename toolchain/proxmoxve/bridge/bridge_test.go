package bridge

import (
	"context"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestATerraformNameBecomesTheModuleAndClassOfTheSDK(t *testing.T) {
	cases := map[string][2]string{
		"proxmox_virtual_environment_vm":              {"index", "VmLegacy"},
		"proxmox_vm":                                  {"index", "Vm"},
		"proxmox_virtual_environment_vm2":             {"index", "Vm2Legacy"},
		"proxmox_sdn_zone_vlan":                       {"sdn/zone", "Vlan"},
		"proxmox_virtual_environment_acme_dns_plugin": {"acme/dns", "PluginLegacy"},
	}
	for name, want := range cases {
		module, class, err := place(name)
		if err != nil || module != want[0] || class != want[1] {
			t.Errorf("%s: got %s %s %v, want %v", name, module, class, err, want)
		}
	}
}

func TestAForeignNameIsAnError(t *testing.T) {
	for _, name := range []string{"aws_instance", "proxmox", "proxmox_", "proxmox_virtual_environment_"} {
		if module, class, err := place(name); err == nil {
			t.Errorf("%q became %s %s", name, module, class)
		}
	}
}

func TestARenamedIdentifierIsReadFromItsNewNameWithoutAPanic(t *testing.T) {
	ctx := context.Background()
	info, err := Provider(ctx)
	if err != nil {
		t.Fatal(err)
	}
	renamed := 0
	for name, described := range info.Resources {
		field := described.Fields[terraformID]
		if field == nil || field.Name != renamedID {
			continue
		}
		renamed++
		if described.ComputeID == nil {
			t.Errorf("%s has no way to its identifier", name)
			continue
		}
		state := resource.PropertyMap{renamedID: resource.NewProperty("chosen")}
		if id, err := described.ComputeID(ctx, state); err != nil || id != "chosen" {
			t.Errorf("%s: identifier %q, %v", name, id, err)
		}
		if _, err := described.ComputeID(ctx, resource.PropertyMap{}); err == nil {
			t.Errorf("%s: an absent identifier is not an error", name)
		}
	}
	// 18 kinds of object under two names, and the backup job under one.
	if renamed != 37 {
		t.Errorf("%d resources have a renamed identifier, want 37", renamed)
	}
}
