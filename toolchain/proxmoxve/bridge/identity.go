package bridge

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

const (
	terraformID = "id"
	renamedID   = "resourceId"
)

// bridgeNamed are resources whose chosen "id" the SDK calls by the bridge's own
// default (sdnControllerEvpnId) instead of resourceId.
var bridgeNamed = map[string]bool{"proxmox_sdn_controller_evpn": true}

// identified describes the resources whose Terraform field "id" is chosen by the
// user (storages, zones, backup jobs ...). Pulumi keeps "id" for itself, so the
// SDK calls that field resourceId; the identifier is then read from the renamed
// field. Reading it from "id", which no longer exists, would end the plugin in
// the middle of a create.
func identified(joined shim.Provider) map[string]*tfbridge.ResourceInfo {
	resources := map[string]*tfbridge.ResourceInfo{}
	joined.ResourcesMap().Range(func(name string, resource shim.Resource) bool {
		field, found := resource.Schema().GetOk(terraformID)
		if found && (field.Required() || field.Optional()) && !bridgeNamed[name] {
			resources[name] = &tfbridge.ResourceInfo{
				Fields: map[string]*tfbridge.SchemaInfo{
					terraformID: {Name: renamedID, Type: "string"},
				},
				ComputeID: tfbridge.DelegateIDField(renamedID, Name, sdkRepository),
			}
		}
		return true
	})
	return resources
}
