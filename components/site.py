"""A site: hosts made ready for clusters, images as templates, logins and regular backups."""

from __future__ import annotations

import pulumi
import pulumi_proxmoxve as proxmoxve

from components.access import EventAccess, pool, role
from components.container_host import ContainerHost
from components.image import Image
from components.virtual_cluster import Passwords
from plan.records import BackupJob, SitePlan, User


def build_site(
    plan: SitePlan, *, provider: pulumi.ProviderResource, passwords: Passwords
) -> dict[str, pulumi.Output[str]]:
    """Register everything of a site, and return the API tokens of its events by name: secrets.

    What the site had before is not touched.
    The cluster firewall is switched on with open policies, because guests' firewalls work only
    then; Proxmox VE keeps that setting when the site is destroyed.
    """
    opts = pulumi.ResourceOptions(providers=[provider])
    proxmoxve.cluster.FirewallLegacy(
        "cluster-firewall",
        proxmoxve.cluster.FirewallLegacyArgs(
            enabled=True, input_policy="ACCEPT", output_policy="ACCEPT", forward_policy="ACCEPT"
        ),
        opts=pulumi.ResourceOptions(provider=provider),
    )
    before: pulumi.Resource | None = None
    for host in plan.hosts:
        before = ContainerHost(host, after=before, opts=opts).bridge
    own = pulumi.ResourceOptions(provider=provider, delete_before_replace=True)
    shared = [pool(plan.templates_pool, own)] if plan.templates_pool else []
    for image in plan.images:
        Image(image, after=[*shared], opts=opts)
    roles = {each.name: role(each, own) for each in plan.roles}
    tokens = {
        each.event: EventAccess(each, roles, after=shared, opts=opts).token for each in plan.events
    }
    for user in plan.users:
        _user(user, passwords(user.password_label), provider)
    for job in plan.backups:
        _backup(job, provider)
    return tokens


def _user(
    user: User, password: pulumi.Input[str] | None, provider: pulumi.ProviderResource
) -> None:
    own = pulumi.ResourceOptions(provider=provider, delete_before_replace=True)
    login = proxmoxve.UserLegacy(
        user.user_id,
        proxmoxve.UserLegacyArgs(
            user_id=user.user_id,
            first_name=user.full_name,
            email=user.email,
            comment=user.comment,
            enabled=True,
            password=password,
        ),
        opts=own,
    )
    proxmoxve.Acl(
        f"{user.user_id}-on-site",
        proxmoxve.AclArgs(path="/", user_id=user.user_id, role_id=user.role, propagate=True),
        opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[login])),
    )


def _backup(job: BackupJob, provider: pulumi.ProviderResource) -> None:
    proxmoxve.backup.Job(
        job.job_id,
        proxmoxve.backup.JobArgs(
            resource_id=job.job_id,
            schedule=job.schedule,
            storage=job.storage,
            all=True,
            mode=job.mode,
            compress="zstd",
            prune_backups={"keep-last": str(job.keep)},
            notes_template=job.comment,
            enabled=True,
        ),
        opts=pulumi.ResourceOptions(provider=provider, delete_before_replace=True),
    )
