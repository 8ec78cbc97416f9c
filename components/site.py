"""A site: hosts made ready for clusters, images as templates, logins and regular backups."""

from __future__ import annotations

import pulumi
import pulumi_proxmoxve as proxmoxve

from components.container_host import ContainerHost
from components.image import Image
from components.virtual_cluster import Passwords
from plan.records import BackupJob, SitePlan, User


def build_site(plan: SitePlan, *, provider: pulumi.ProviderResource, passwords: Passwords) -> None:
    """Register everything of a site. What the site had before is not touched.

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
    for image in plan.images:
        Image(image, opts=opts)
    for user in plan.users:
        _user(user, passwords(user.password_label), provider)
    for job in plan.backups:
        _backup(job, provider)


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
