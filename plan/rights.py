"""What an event needs at its site, by path and privilege, each with the reason: data.

The site stack makes a pool, a user and an API token with these rights for each event that it
lists; docs/rights.md is written from here. Names are Proxmox VE's (pve-access-control). Whatever
is missing here is refused to the token.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plan import naming
from plan.records import Access, EventAccess, Right, Role

# Proxmox VE 9 (pve-access-control). Enough to watch, reset and repair guests of the event's pool;
# nothing that changes their hardware, networks or rights.
INSTRUCTOR_PRIVILEGES = (
    "Pool.Audit",
    "VM.Audit",
    "VM.Console",
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileWrite",
    "VM.GuestAgent.Unrestricted",
    "VM.PowerMgmt",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Privileges on all paths of one kind. `privileges` gives the reason for each."""

    scope: str  # ends the role's name
    path: str  # for people; `…` stands for a name of the site
    propagate: bool  # whether paths below it are meant as well
    privileges: dict[str, str]


GRANTS = (
    Grant(
        scope="guests",
        path="/pool/practicum-<event>",
        propagate=False,
        privileges={
            "Pool.Audit": "find the pool; the provider looks a guest's pool up in the list of them",
            "VM.Allocate": "clone into the pool; delete guests",
            "VM.Audit": "read guests, their status and their firewall; see them in lists",
            "VM.Config.CDROM": "the empty drive ide3, and the drive of cloud-init",
            "VM.Config.CPU": "cores and type of the CPU",
            "VM.Config.Cloudinit": "the drive of cloud-init with login and addresses",
            "VM.Config.Disk": "options and size of the system disk; the order of booting",
            "VM.Config.HWType": "serial console, display, SCSI controller",
            "VM.Config.Memory": "memory",
            "VM.Config.Network": "network cards and their VLANs; the rules of a guest's firewall",
            "VM.Config.Options": "name, tags, description, guest agent, start with the host",
            "VM.Console": "consoles of guests, and the logs of their firewalls (practicum console, "
            "traffic)",
            "VM.GuestAgent.Unrestricted": "ask guests' agents, and prepare guests (contextualize)",
            "VM.Migrate": "move guests when a host is drained or pinned",
            "VM.PowerMgmt": "start, shut down and stop guests",
        },
    ),
    Grant(
        scope="templates",
        path="/pool/practicum-<site>-templates",
        propagate=False,
        privileges={
            "VM.Audit": "see the templates, and read the one that is cloned",
            "VM.Clone": "clone the templates",
        },
    ),
    Grant(
        scope="storage",
        path="/storage/…",
        propagate=False,
        privileges={
            "Datastore.AllocateSpace": "disks of guests, and the drives of cloud-init",
            "Datastore.Audit": "see in lists whether the storage is available on a host",
        },
    ),
    Grant(
        scope="network",
        path="/sdn/zones/localnetwork/…",
        propagate=True,
        privileges={"SDN.Use": "network cards on the site's two bridges, in any VLAN of them"},
    ),
    Grant(
        scope="firewall",
        path="/",
        propagate=False,
        privileges={
            "Sys.Audit": "read the rules of security groups",
            "Sys.Modify": "make, change and delete security groups, which belong to the cluster",
        },
    ),
)


def site_roles(site: str) -> tuple[Role, ...]:
    """The roles that a site makes for all its listed events."""
    granted = tuple(
        Role(name=naming.site_role(site, grant.scope), privileges=tuple(sorted(grant.privileges)))
        for grant in GRANTS
    )
    instructor = Role(
        name=naming.site_role(site, naming.INSTRUCTOR), privileges=INSTRUCTOR_PRIVILEGES
    )
    return (*granted, instructor)


def event_access(
    event: str, site: str, *, storages: Iterable[str], bridges: Iterable[str]
) -> EventAccess:
    """What a site makes for an event: pool, groups, user, token and rights."""
    paths = {
        "guests": (f"/pool/{naming.pool(event)}",),
        "templates": (f"/pool/{naming.templates_pool(site)}",),
        "storage": tuple(f"/storage/{name}" for name in sorted(set(storages))),
        "network": tuple(f"/sdn/zones/localnetwork/{name}" for name in sorted(set(bridges))),
        "firewall": ("/",),
    }
    return EventAccess(
        event=event,
        access=listed_access(event, site),
        user_id=naming.event_user(event),
        token=naming.EVENT_TOKEN,
        comment=naming.mark(site, f"event:{event}"),
        rights=tuple(
            Right(
                path=path,
                role=naming.site_role(site, grant.scope),
                privileges=tuple(sorted(grant.privileges)),
                propagate=grant.propagate,
            )
            for grant in GRANTS
            for path in paths[grant.scope]
        ),
    )


def own_access(event: str, title: str) -> Access:
    """Pool, group and role of an event that makes them by itself."""
    return Access(
        pool=naming.pool(event),
        pool_comment=naming.mark(event, "event", title),
        group=naming.instructors_group(event),
        role=naming.instructors_role(event),
        privileges=INSTRUCTOR_PRIVILEGES,
    )


def listed_access(event: str, site: str) -> Access:
    """The same, made by the site, which does not read the event's file."""
    return Access(
        pool=naming.pool(event),
        pool_comment=naming.mark(site, f"event:{event}"),
        group=naming.instructors_group(event),
        role=naming.site_role(site, naming.INSTRUCTOR),
        privileges=INSTRUCTOR_PRIVILEGES,
        by_site=True,
    )
