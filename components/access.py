"""What lets instructors work with an event's guests in Proxmox VE: pool, group, role and ACL."""

from __future__ import annotations

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.records import Access as PlannedAccess


class Access(pulumi.ComponentResource):
    """One pool per event (each guest read walks all pools), and the instructors' rights on it."""

    pool: proxmoxve.PoolLegacy

    def __init__(self, access: PlannedAccess, *, opts: pulumi.ResourceOptions) -> None:
        """Register the pool and the rights; nothing outside the pool is granted."""
        super().__init__("practicum:index:Access", access.pool, None, opts)
        own = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        self.pool = proxmoxve.PoolLegacy(
            access.pool,
            proxmoxve.PoolLegacyArgs(pool_id=access.pool, comment=access.pool_comment),
            opts=own,
        )
        group = proxmoxve.GroupLegacy(
            access.group,
            proxmoxve.GroupLegacyArgs(group_id=access.group, comment=access.pool_comment),
            opts=own,
        )
        role = proxmoxve.RoleLegacy(
            access.role,
            proxmoxve.RoleLegacyArgs(role_id=access.role, privileges=list(access.privileges)),
            opts=own,
        )
        proxmoxve.Acl(
            f"{access.group}-on-pool",
            proxmoxve.AclArgs(
                path=f"/pool/{access.pool}",
                group_id=access.group,
                role_id=access.role,
                propagate=True,
            ),
            opts=pulumi.ResourceOptions.merge(
                own, pulumi.ResourceOptions(depends_on=[self.pool, group, role])
            ),
        )
        self.register_outputs({})
