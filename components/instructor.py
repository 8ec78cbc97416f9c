"""The instructors' node: one guest with a leg on every cluster network."""

from __future__ import annotations

import pulumi

from components.cluster_network import guard
from components.contextualization import Contextualize
from components.guest import Guest
from components.virtual_cluster import Passwords
from plan.records import Guest as PlannedGuest


class Instructor(pulumi.ComponentResource):
    """The node that instructors watch and help from; its exposed leg is guarded like a head's."""

    guest: Guest

    def __init__(
        self,
        guest: PlannedGuest,
        *,
        pool: str,
        common_group: pulumi.Resource,
        passwords: Passwords,
        prepare: Contextualize,
        depends_on: list[pulumi.Resource],
        hooks: pulumi.ResourceHookBinding | None = None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Register the node; `passwords` gives the secret behind a label of the plan,
        `hooks` are the guest's."""
        super().__init__("practicum:index:Instructor", f"{guest.name}-node", None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=depends_on, hooks=hooks)
        self.guest = Guest(
            guest, pool=pool, password=passwords(guest.login.password_label), opts=child
        )
        rules = []
        if guest.exposed:
            rules.append(guard(self.guest, common_group, pulumi.ResourceOptions(parent=self)))
        prepare(guest.name, [self.guest], rules, self)
        self.register_outputs({})
