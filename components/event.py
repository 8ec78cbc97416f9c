"""An event: its access, unless the site makes it, the common firewall group, and its guests."""

from __future__ import annotations

import pulumi

from components.access import Access
from components.cluster_network import security_group
from components.contextualization import contextualization
from components.host_services import host_services
from components.instructor import Instructor
from components.virtual_cluster import Passwords, VirtualCluster
from plan.records import EventPlan


def build_event(
    plan: EventPlan,
    *,
    provider: pulumi.ProviderResource,
    passwords: Passwords,
    hooks: pulumi.ResourceHookBinding | None = None,
) -> None:
    """Register everything of an event; all of it is gone after `destroy`.

    `hooks` are called for each guest.
    """
    opts = pulumi.ResourceOptions(providers=[provider])
    access = None if plan.access.by_site else Access(plan.access, opts=opts)
    group = security_group(plan.security_group, pulumi.ResourceOptions(provider=provider))
    prepare = contextualization(plan)
    pool: list[pulumi.Resource] = [access.pool] if access else []
    ready = [*pool, *host_services(plan.stack, plan.host_services)]
    if plan.instructor:
        Instructor(
            plan.instructor,
            pool=plan.access.pool,
            common_group=group,
            passwords=passwords,
            prepare=prepare,
            depends_on=ready,
            hooks=hooks,
            opts=opts,
        )
    for cluster in plan.clusters:
        VirtualCluster(
            cluster,
            pool=plan.access.pool,
            common_group=group,
            passwords=passwords,
            prepare=prepare,
            depends_on=ready,
            hooks=hooks,
            opts=opts,
        )
