"""What a host gets so that clusters can live on it: a VLAN-aware bridge and firewall options."""

from __future__ import annotations

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.records import ContainerHost as PlannedHost


class ContainerHost(pulumi.ComponentResource):
    """A Proxmox VE node as a host of clusters."""

    bridge: proxmoxve.network.linux.Bridge

    def __init__(
        self,
        host: PlannedHost,
        *,
        after: pulumi.Resource | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Register the bridge, once `after` is there.

        Network reloads wait for one lock across all hosts, and their time limit starts before
        the lock is taken; so the hosts' bridges are made one after the other.
        """
        super().__init__("practicum:index:ContainerHost", host.name, None, opts)
        self.bridge = proxmoxve.network.linux.Bridge(
            f"{host.name}-{host.bridge}",
            proxmoxve.network.linux.BridgeArgs(
                node_name=host.name,
                name=host.bridge,
                ports=list(host.ports),
                vlan_aware=True,
                vids=host.vids,
                autostart=True,
                comment=host.comment,
            ),
            opts=pulumi.ResourceOptions(
                parent=self, delete_before_replace=True, depends_on=[after] if after else None
            ),
        )
        proxmoxve.node.Firewall(
            f"{host.name}-firewall",
            proxmoxve.node.FirewallArgs(node_name=host.name, enabled=True),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({})
