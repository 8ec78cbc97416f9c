"""Who may do what: the instructors on an event's pool, and the API token of an event.

An event makes pool, group, role and ACL by itself, unless its site lists it: then the site does,
together with a user and a token that has the rights of plan/rights.py and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.records import Access as PlannedAccess
from plan.records import EventAccess as PlannedEventAccess
from plan.records import Pool, Right, Role


class Access(pulumi.ComponentResource):
    """One pool per event (each guest read walks all pools), and the instructors' rights on it."""

    pool: proxmoxve.PoolLegacy

    def __init__(self, access: PlannedAccess, *, opts: pulumi.ResourceOptions) -> None:
        """Register the pool and the rights; nothing outside the pool is granted."""
        super().__init__("practicum:index:Access", access.pool, None, opts)
        own = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        self.pool = pool(Pool(name=access.pool, comment=access.pool_comment), own)
        group = proxmoxve.GroupLegacy(
            access.group,
            proxmoxve.GroupLegacyArgs(group_id=access.group, comment=access.pool_comment),
            opts=own,
        )
        made = role(Role(name=access.role, privileges=access.privileges), own)
        proxmoxve.Acl(
            f"{access.group}-on-pool",
            proxmoxve.AclArgs(
                path=f"/pool/{access.pool}",
                group_id=access.group,
                role_id=access.role,
                propagate=True,
            ),
            opts=pulumi.ResourceOptions.merge(
                own, pulumi.ResourceOptions(depends_on=[self.pool, group, made])
            ),
        )
        self.register_outputs({})


class EventAccess(pulumi.ComponentResource):
    """What a site makes for an event: pool, instructors' group, user, token, and their rights."""

    token: pulumi.Output[str]
    """The whole token, user@realm!name=secret; a secret."""

    def __init__(
        self,
        planned: PlannedEventAccess,
        roles: Mapping[str, pulumi.Resource],
        *,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Register it all; `roles` are the site's by name, `after` is what rights refer to."""
        super().__init__("practicum:index:EventAccess", f"{planned.event}-access", None, opts)
        self._own = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        access = planned.access
        made = pool(Pool(name=access.pool, comment=access.pool_comment), self._own)
        self._instructors(access, made, roles[access.role])
        user = proxmoxve.UserLegacy(
            planned.user_id,
            proxmoxve.UserLegacyArgs(
                user_id=planned.user_id, comment=planned.comment, enabled=True
            ),
            opts=self._own,
        )
        token = proxmoxve.user.Token(
            f"{planned.event}-token",
            proxmoxve.user.TokenArgs(
                user_id=planned.user_id,
                token_name=planned.token,
                comment=planned.comment,
                privileges_separation=True,
            ),
            opts=pulumi.ResourceOptions.merge(self._own, _after(user)),
        )
        for right in planned.rights:
            # A token with separated privileges has what both it and its user have.
            needs = [made, roles[right.role], *after]
            name = f"{planned.event}-{{}}-on-{right.path}"
            whole = f"{planned.user_id}!{planned.token}"
            self._grant(name.format("user"), right, {"user_id": planned.user_id}, user, *needs)
            self._grant(name.format("token"), right, {"token_id": whole}, token, *needs)
        self.token = token.value
        self.register_outputs({})

    def _instructors(
        self, access: PlannedAccess, made: pulumi.Resource, made_role: pulumi.Resource
    ) -> None:
        group = proxmoxve.GroupLegacy(
            access.group,
            proxmoxve.GroupLegacyArgs(group_id=access.group, comment=access.pool_comment),
            opts=self._own,
        )
        right = Right(
            path=f"/pool/{access.pool}",
            role=access.role,
            privileges=access.privileges,
            propagate=True,
        )
        holder = {"group_id": access.group}
        self._grant(f"{access.group}-on-pool", right, holder, made, group, made_role)

    def _grant(
        self, name: str, right: Right, holder: Mapping[str, str], *needs: pulumi.Resource
    ) -> None:
        proxmoxve.Acl(
            name,
            proxmoxve.AclArgs(
                path=right.path, role_id=right.role, propagate=right.propagate, **holder
            ),
            opts=pulumi.ResourceOptions.merge(self._own, _after(*needs)),
        )


def pool(planned: Pool, opts: pulumi.ResourceOptions) -> proxmoxve.PoolLegacy:
    """A resource pool."""
    return proxmoxve.PoolLegacy(
        planned.name,
        proxmoxve.PoolLegacyArgs(pool_id=planned.name, comment=planned.comment),
        opts=opts,
    )


def role(planned: Role, opts: pulumi.ResourceOptions) -> proxmoxve.RoleLegacy:
    """A role with its privileges."""
    return proxmoxve.RoleLegacy(
        planned.name,
        proxmoxve.RoleLegacyArgs(role_id=planned.name, privileges=list(planned.privileges)),
        opts=opts,
    )


def _after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(depends_on=list(resources))
