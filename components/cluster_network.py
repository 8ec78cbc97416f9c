"""The firewall around a cluster's exposed nodes: security group, egress allow list, default drop.

The VLAN itself is the tag on the guests' NICs, so it is there with the first guest of the cluster
and gone with the last one.
"""

from __future__ import annotations

from collections.abc import Iterable

import pulumi
import pulumi_proxmoxve as proxmoxve

from components.guest import Guest
from plan.records import ClusterNetwork as PlannedNetwork
from plan.records import FirewallRule, Interface
from plan.records import SecurityGroup as PlannedGroup

SecurityGroupResource = proxmoxve.cluster.firewall.security.GroupLegacy


class ClusterNetwork:
    """The network of one cluster, as far as it is made of objects of the Proxmox VE API.

    No resource of its own: its objects are children of the cluster, because each registration
    costs two writes of the whole state (docs/decisions/0002-a-guest-is-one-resource.md).
    """

    vlan: int
    rules: list[pulumi.Resource]

    def __init__(
        self,
        network: PlannedNetwork,
        *,
        own_group: PlannedGroup | None,
        common_group: pulumi.Resource,
        exposed: Iterable[Guest],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Guard the cluster's exposed guests by its own security group, else by the common one."""
        self.vlan = network.vlan
        group = security_group(own_group, opts) if own_group else common_group
        self.rules = [guard(guest, group, opts) for guest in exposed]


def security_group(group: PlannedGroup, opts: pulumi.ResourceOptions) -> SecurityGroupResource:
    """The security group with the planned rules, in their order."""
    return SecurityGroupResource(
        group.name,
        proxmoxve.cluster.firewall.security.GroupLegacyArgs(
            name=group.name,
            comment=group.comment,
            rules=[_rule(rule) for rule in group.rules],
        ),
        opts=pulumi.ResourceOptions.merge(pulumi.ResourceOptions(delete_before_replace=True), opts),
    )


def guard(guest: Guest, group: pulumi.Resource, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    """Let the security group decide what passes the guest's exposed NIC.

    The firewall itself, dropping by default, came with the clone: a template's firewall file is
    copied to its clones (`components.image`). The rules live in the guest's file and go with it.
    """
    planned = guest.planned
    filters = [_address_filter(guest, n, nic, opts) for n, nic in planned.filtered_interfaces]
    return proxmoxve.firewall.RulesLegacy(
        f"{planned.name}-rules",
        proxmoxve.firewall.RulesLegacyArgs(
            node_name=planned.host,
            vm_id=planned.vmid,
            rules=[
                proxmoxve.firewall.RulesLegacyRuleArgs(
                    security_group=planned.security_group, enabled=True
                )
            ],
        ),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[guest, group, *filters],
                deleted_with=guest,
                delete_before_replace=True,
            ),
        ),
    )


def _address_filter(
    guest: Guest, number: int, nic: Interface, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Let NIC `number` send from its own address only, in ARP as well: Proxmox VE takes an IP set
    of this name for that. It is there before any rule opens the NIC."""
    planned = guest.planned
    name = f"ipfilter-net{number}"
    return proxmoxve.firewall.IpsetLegacy(
        f"{planned.name}-{name}",
        proxmoxve.firewall.IpsetLegacyArgs(
            node_name=planned.host,
            vm_id=planned.vmid,
            name=name,
            cidrs=[proxmoxve.firewall.IpsetLegacyCidrArgs(name=str(nic.address.ip))]
            if nic.address
            else [],
        ),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[guest], deleted_with=guest, delete_before_replace=True
            ),
        ),
    )


def _rule(rule: FirewallRule) -> proxmoxve.cluster.firewall.security.GroupLegacyRuleArgs:
    return proxmoxve.cluster.firewall.security.GroupLegacyRuleArgs(
        type=rule.direction,
        action=rule.action,
        proto=rule.protocol,
        source=str(rule.source) if rule.source else None,
        dest=str(rule.dest) if rule.dest else None,
        dport=str(rule.port) if rule.port else None,
        comment=rule.comment,
        enabled=True,
    )
