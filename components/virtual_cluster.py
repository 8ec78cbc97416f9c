"""One participant group's machines: a cluster's guests and the firewall of the exposed ones."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from components.cluster_network import ClusterNetwork
from components.contextualization import Contextualize
from components.guest import Guest
from plan.records import Cluster

Passwords = Callable[[str], pulumi.Input[str] | None]


class VirtualCluster(pulumi.ComponentResource):
    """A cluster: gone from the file, gone with its guests, VLAN and firewall."""

    guests: list[Guest]
    network: ClusterNetwork

    def __init__(
        self,
        cluster: Cluster,
        *,
        pool: str,
        common_group: pulumi.Resource,
        passwords: Passwords,
        prepare: Contextualize,
        depends_on: list[pulumi.Resource],
        hooks: pulumi.ResourceHookBinding | None = None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Register the cluster; `passwords` gives the secret behind a label of the plan,
        `hooks` are the guests'."""
        super().__init__("practicum:index:VirtualCluster", cluster.name, None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=depends_on, hooks=hooks)
        self.guests = [
            Guest(guest, pool=pool, password=passwords(guest.login.password_label), opts=child)
            for guest in cluster.guests
        ]
        self.network = ClusterNetwork(
            cluster.network,
            own_group=cluster.security_group,
            common_group=common_group,
            exposed=[guest for guest in self.guests if guest.planned.exposed],
            opts=pulumi.ResourceOptions(parent=self),
        )
        prepare(cluster.name, self.guests, self.network.rules, self)
        self.register_outputs({})
