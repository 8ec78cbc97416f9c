"""Interfaces of hosts, and the firewall of datacenter, hosts and guests."""

from __future__ import annotations

import os

import pulumi
from pulumi_proxmoxve import cluster, firewall, network, node

UPDATED = os.environ["SCENARIO_STEP"] == "update"
WORD = "new" if UPDATED else "old"

bridge = network.linux.Bridge(
    "network-bridge",
    node_name="pve1",
    name="vmbr7",
    comment=WORD,
    address="10.7.0.2/24" if UPDATED else "10.7.0.1/24",
    vlan_aware=True,
)
network.linux.Vlan(
    "network-vlan",
    node_name="pve1",
    name="eth0.30",
    comment=WORD,
    opts=pulumi.ResourceOptions(depends_on=[bridge]),
)
cluster.FirewallLegacy(
    "cluster-firewall",
    enabled=False,
    input_policy="DROP",
    output_policy="REJECT" if UPDATED else "ACCEPT",
)
group = cluster.firewall.security.GroupLegacy(
    "firewall-security-group",
    name="heads",
    comment=WORD,
    rules=[
        cluster.firewall.security.GroupLegacyRuleArgs(
            type="in", action="ACCEPT", macro="SSH" if UPDATED else "HTTPS", comment="allow"
        )
    ],
)
firewall.AliasLegacy(
    "firewall-alias", name="lan", cidr="10.1.0.0/16" if UPDATED else "10.0.0.0/16", comment="lan"
)
firewall.IpsetLegacy(
    "firewall-ipset",
    name="mirrors",
    comment="mirrors",
    cidrs=[firewall.IpsetLegacyCidrArgs(name="192.0.2.0/24", comment="one")],
)
firewall.OptionsLegacy(
    "firewall-options", node_name="pve1", vm_id=100, enabled=True, dhcp=True, macfilter=UPDATED
)
firewall.RulesLegacy(
    "firewall-rules",
    node_name="pve1",
    vm_id=100,
    rules=[firewall.RulesLegacyRuleArgs(security_group=group.name, comment=WORD)],
)
node.Firewall("node-firewall", node_name="pve2", enabled=UPDATED, nosmurfs=True)
