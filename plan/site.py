"""The plan of a site: bridges, downloads and uploads, templates, logins and backups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from event.model import Image, Site
from event.stack import SiteStack
from plan.findings import Findings, Scope
from plan.hosts import MIB_PER_GIB, HostSpec
from plan.images import ImageSpec, is_shared
from plan.loads import Load, Totals
from plan.naming import mark, password_label, tags, templates_pool
from plan.records import (
    BackupJob,
    ContainerHost,
    Download,
    EventAccess,
    Pool,
    SiteImage,
    SitePlan,
    TemplateCopy,
    Upload,
    User,
)
from plan.rights import event_access, site_roles
from plan.survey import api, survey

# Proxmox VE: endings of files that content `import` takes (pve-storage); cloud images that end
# in .img are qcow2 inside.
IMPORT_ENDINGS = frozenset({".qcow2", ".raw", ".vmdk"})
DEFAULT_ENDING = ".qcow2"

_DIGEST_LENGTH = 12  # of the checksum in a file's name: another file is another name


def plan_site(stack: SiteStack) -> SitePlan:
    """Decide a site. Raises `PlanError` with every problem of its stack file."""
    findings = Findings()
    scope = findings.scope(stack.locate)
    looked = survey(stack, findings)
    site, name = stack.site, stack.name
    if name in site.events:
        scope.problem(
            ("site", "events", site.events.index(name)), "is this site", found=name,
            hint="write the stack names of events",
        )  # fmt: skip
    findings.stop_if_any()
    _warn(looked.hosts, looked.images.values(), scope)
    network = site.network
    return SitePlan(
        stack=name,
        title=site.title,
        api=api(site),
        hosts=tuple(
            ContainerHost(
                name=host.name,
                bridge=network.bridge,
                vids=str(network.vlans),
                # Proxmox VE tells a bridge's ports in this order, whatever was written.
                ports=tuple(sorted(set(host.ports))),
                comment=mark(name, "clusters"),
            )
            for host in looked.hosts
        ),
        images=tuple(
            _image(name, site, site.images[each], looked.images[each], looked.hosts)
            for each in site.images
        ),
        users=_users(name, site),
        backups=_backups(name, site),
        templates_pool=(
            Pool(name=templates_pool(name), comment=mark(name, "templates"))
            if site.events
            else None
        ),
        roles=site_roles(name) if site.events else (),
        events=_events(name, site),
        capacity=_hardware(site, looked.hosts),
        warnings=tuple(findings.warnings),
    )


def _image(
    stack: str, site: Site, image: Image, spec: ImageSpec, hosts: Sequence[HostSpec]
) -> SiteImage:
    downloads = _downloads(site, image, spec.name, hosts)
    uploads = _uploads(site, image, spec.name, hosts)
    sent: Sequence[Download | Upload] = downloads or uploads
    volume = image.volume or f"{image.import_storage}:import/{sent[0].file_name}"
    return SiteImage(
        name=spec.name,
        downloads=downloads,
        uploads=uploads,
        templates=tuple(
            TemplateCopy(
                image=spec.name,
                name=spec.name,
                vmid=template.vmid,
                host=template.host,
                storage=template.storage,
                volume=volume,
                disk_gib=spec.disk_gib,
                tags=tags(stack, "template"),
                description=mark(stack, f"template:{spec.name}"),
                pool=templates_pool(stack) if site.events else None,
            )
            for template in spec.templates
        ),
    )


def _downloads(
    site: Site, image: Image, name: str, hosts: Sequence[HostSpec]
) -> tuple[Download, ...]:
    """One download on a shared storage, else one on each host that makes a template."""
    if image.url is None or image.import_storage is None or image.sha256 is None:
        return ()
    file_name = _file_name(name, image.url.partition("#")[0].partition("?")[0], image.sha256)
    return tuple(
        Download(
            image=name,
            host=host.name,
            storage=image.import_storage,
            url=image.url,
            file_name=file_name,
            sha256=image.sha256,
        )
        for host in _receivers(site, image, image.import_storage, hosts)
    )


def _uploads(site: Site, image: Image, name: str, hosts: Sequence[HostSpec]) -> tuple[Upload, ...]:
    """The same for a file of this machine. Its name follows from its checksum, never from what is
    in the file now: only who writes another sum gets another image."""
    written = image.file or image.build
    if written is None or image.import_storage is None or image.sha256 is None:
        return ()
    return tuple(
        Upload(
            image=name,
            host=host.name,
            storage=image.import_storage,
            file=image.file,
            build=image.build,
            file_name=_file_name(name, image.file or "", image.sha256),
            sha256=image.sha256,
        )
        for host in _receivers(site, image, image.import_storage, hosts)
    )


def _receivers(
    site: Site, image: Image, storage: str, hosts: Sequence[HostSpec]
) -> Sequence[HostSpec]:
    once = is_shared(site.storages[storage]) or is_shared(site.storages[image.storage])
    return hosts[:1] if once else hosts


def _file_name(name: str, path: str, sha256: str) -> str:
    ending = PurePosixPath(path).suffix.lower()
    kept = ending if ending in IMPORT_ENDINGS else DEFAULT_ENDING
    return f"{name}-{sha256[:_DIGEST_LENGTH]}{kept}"


def _users(stack: str, site: Site) -> tuple[User, ...]:
    return tuple(
        User(
            user_id=f"{user.name}@pve",
            full_name=user.full_name or "",
            email=user.email or "",
            role=user.role,
            comment=mark(stack, user.name),
            password_label=password_label(stack, user.name),
        )
        for user in site.users
    )


def _backups(stack: str, site: Site) -> tuple[BackupJob, ...]:
    return tuple(
        BackupJob(
            job_id=f"practicum-{stack}-{name}",
            schedule=job.schedule,
            storage=job.storage,
            keep=job.keep,
            mode=job.mode,
            comment=mark(stack, name),
        )
        for name, job in sorted(site.backups.items())
    )


def _events(stack: str, site: Site) -> tuple[EventAccess, ...]:
    return tuple(
        event_access(
            event,
            stack,
            storages=[image.storage for image in site.images.values()],
            bridges=[site.network.bridge, site.network.exposed.bridge],
        )
        for event in sorted(site.events)
    )


def _hardware(site: Site, hosts: Sequence[HostSpec]) -> Totals:
    """What the hosts that are not drained have, without any overcommit, and nothing needed."""
    working = [site.hosts[host.row] for host in hosts if not host.drain]
    return Totals(
        clusters=0,
        guests=0,
        hosts=len(working),
        cores=Load(need=0, have=sum(host.cores for host in working)),
        memory_mib=Load(
            need=0, have=round(sum(host.memory_gib for host in working) * MIB_PER_GIB, 3)
        ),
        disk_gib=Load(need=0, have=round(sum(host.disk_gib for host in working), 3)),
        survives_loss_of_any_host=len(working) > 1,
        worst_loss=None,
    )


def _warn(hosts: Sequence[HostSpec], images: Iterable[ImageSpec], scope: Scope) -> None:
    """What a site can do without, but should know of."""
    if len(hosts) > 1 and not any(image.shared for image in images):
        scope.warn(
            ("site", "storages"), "no image is on a shared storage: guests of a lost host are "
            "made anew, and none can be migrated",
            hint="declare one, e.g. type: nfs, and put images on it",
        )  # fmt: skip
