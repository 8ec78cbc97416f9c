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
from plan.records import FirewallRule
from plan.records import SecurityGroup as PlannedGroup

SecurityGroupResource = proxmoxve.cluster.firewall.security.GroupLegacy


class ClusterNetwork:
    """The network of one cluster, as far as it is made of objects of the Proxmox VE API.

    No resource of its own: its objects are children of the cluster, because each registration
    costs two writes of the whole state (docs/decisions/0002-a-guest-is-one-resource.md).
    """

    vlan: int

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
        for guest in exposed:
            guard(guest, group, opts)


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


def guard(guest: Guest, group: pulumi.Resource, opts: pulumi.ResourceOptions) -> None:
    """Switch the guest's firewall on, drop by default, and let the security group decide.

    Both objects live in the guest's firewall file, which goes with the guest.
    """
    planned = guest.planned
    after = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(depends_on=[guest, group], deleted_with=guest)
    )
    rules = proxmoxve.firewall.RulesLegacy(
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
            after, pulumi.ResourceOptions(delete_before_replace=True)
        ),
    )
    proxmoxve.firewall.OptionsLegacy(
        f"{planned.name}-firewall",
        proxmoxve.firewall.OptionsLegacyArgs(
            node_name=planned.host,
            vm_id=planned.vmid,
            enabled=True,
            dhcp=any(nic.dhcp for nic in planned.interfaces),
            macfilter=True,
            input_policy="DROP",
            output_policy="DROP",
        ),
        opts=pulumi.ResourceOptions.merge(
            after, pulumi.ResourceOptions(depends_on=[rules], delete_before_replace=True)
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
