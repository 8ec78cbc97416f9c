"""Software-defined networks: zones of all kinds, networks, ranges, a controller, and applying."""

from __future__ import annotations

import os

import pulumi
from pulumi_proxmoxve import sdn

UPDATED = os.environ["SCENARIO_STEP"] == "update"
MTU = 1400 if UPDATED else 1450

first = sdn.Applier("sdn-applier-first", on_create=False, on_destroy=True)
after = pulumi.ResourceOptions(depends_on=[first])
simple = sdn.zone.Simple(
    "sdn-zone-simple", resource_id="zsimple", ipam="pve", mtu=MTU, nodes=["pve1"], opts=after
)
vlan = sdn.zone.Vlan("sdn-zone-vlan", resource_id="zvlan", bridge="vmbr0", mtu=MTU, opts=after)
qinq = sdn.zone.Qinq(
    "sdn-zone-qinq",
    resource_id="zqinq",
    bridge="vmbr0",
    service_vlan=200 if UPDATED else 100,
    service_vlan_protocol="802.1ad",
    opts=after,
)
vxlan = sdn.zone.Vxlan(
    "sdn-zone-vxlan",
    resource_id="zvxlan",
    peers=["192.0.2.1", "192.0.2.2", *(["192.0.2.3"] if UPDATED else [])],
    opts=after,
)
controller = sdn.controller.Evpn(
    "sdn-controller-evpn",
    sdn_controller_evpn_id="ctl",
    asn=65001 if UPDATED else 65000,
    peers=["192.0.2.1"],
    opts=after,
)
open_fabric = sdn.fabric.Openfabric(
    "sdn-fabric-openfabric",
    resource_id="fopen",
    ip_prefix="10.80.0.0/24",
    hello_interval=5 if UPDATED else 3,
    opts=after,
)
open_node = sdn.fabric.node.Openfabric(
    "sdn-fabric-node-openfabric",
    fabric_id=open_fabric.resource_id,
    node_id="pve1",
    ip="10.80.0.9" if UPDATED else "10.80.0.1",
    interface_names=["eth0"],
)
ospf_fabric = sdn.fabric.Ospf(
    "sdn-fabric-ospf",
    resource_id="fospf",
    area="0.0.0.1" if UPDATED else "0",
    ip_prefix="10.81.0.0/24",
    opts=after,
)
ospf_node = sdn.fabric.node.Ospf(
    "sdn-fabric-node-ospf",
    fabric_id=ospf_fabric.resource_id,
    node_id="pve2",
    ip="10.81.0.9" if UPDATED else "10.81.0.1",
    interface_names=["eth0"],
)
evpn = sdn.zone.Evpn(
    "sdn-zone-evpn",
    resource_id="zevpn",
    controller=controller.sdn_controller_evpn_id,
    vrf_vxlan=4000,
    exit_nodes=["pve2", "pve3"] if UPDATED else ["pve2"],
    opts=pulumi.ResourceOptions(depends_on=[first, controller]),
)
tagged = sdn.Vnet(
    "sdn-vnet-tagged",
    resource_id="vtag",
    zone=vlan.resource_id,
    tag=43 if UPDATED else 42,
    alias="classroom",
    vlan_aware=True,
)
plain = sdn.Vnet(
    "sdn-vnet-plain", resource_id="vplain", zone=simple.resource_id, isolate_ports=UPDATED
)
subnet = sdn.Subnet(
    "sdn-subnet",
    vnet=plain.resource_id,
    cidr="10.70.0.0/24",
    gateway="10.70.0.254" if UPDATED else "10.70.0.1",
    snat=True,
    dhcp_range=sdn.SubnetDhcpRangeArgs(start_address="10.70.0.10", end_address="10.70.0.99"),
    # Another gateway is another subnet to the provider, and the name of a subnet is its range.
    opts=pulumi.ResourceOptions(delete_before_replace=True),
)
sdn.Applier(
    "sdn-applier-last",
    on_create=True,
    on_destroy=False,
    opts=pulumi.ResourceOptions(
        depends_on=[evpn, qinq, vxlan, tagged, subnet, open_node, ospf_node],
        replacement_trigger=UPDATED,
    ),
)
