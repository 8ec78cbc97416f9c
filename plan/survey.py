"""The survey of a site: its hosts and images unfolded, and what is wrong with them.

Both plans start here: that of the site, and that of each event on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from event.model import Image, Site
from event.problems import Path, known_names, quoted
from event.stack import SiteStack
from event.values import MAX_HOSTS
from plan.findings import Findings, Scope
from plan.hosts import HostSpec, unfold_hosts
from plan.images import NEVER_SHARED, ImageSpec, image_specs, is_shared
from plan.records import Api

SMALLEST_SUBNET = 30  # prefix length; below it there is no room for a gateway and a node


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSurvey:
    """The hosts in declared order and the images by name."""

    hosts: tuple[HostSpec, ...]
    images: Mapping[str, ImageSpec]

    @property
    def by_name(self) -> Mapping[str, HostSpec]:
        """The hosts by name."""
        return {host.name: host for host in self.hosts}


def survey(stack: SiteStack, findings: Findings) -> SiteSurvey:
    """Look a site over; problems go to `findings`."""
    scope = findings.scope(stack.locate)
    site = stack.site
    hosts = unfold_hosts(site)
    _check_hosts(hosts, scope)
    _check_storages(site, scope)
    for name, image in site.images.items():
        _check_image(name, image, site, scope)
    images = image_specs(site, hosts)
    _check_templates(site, images, scope)
    _check_network(site, scope)
    return SiteSurvey(hosts=hosts, images=images)


def api(site: Site) -> Api:
    """Where the site's API is, as a record."""
    return Api(
        endpoint=site.api.endpoint,
        insecure=site.api.insecure,
        ca_file=site.api.ca_file,
        token_file=site.api.token_file,
    )


def _check_hosts(hosts: tuple[HostSpec, ...], scope: Scope) -> None:
    first: dict[str, int] = {}
    for host in hosts:
        if host.name in first:
            scope.problem(
                ("site", "hosts", host.row, "name"), f"is declared twice, by hosts"
                f"[{first[host.name]}] too", found=host.name, hint="declare every host once",
            )  # fmt: skip
        first.setdefault(host.name, host.row)
    if len(hosts) > MAX_HOSTS:
        scope.problem(
            ("site", "hosts"), f"has {len(hosts)} hosts", hint=f"declare at most {MAX_HOSTS}"
        )


def _check_storages(site: Site, scope: Scope) -> None:
    for name, storage in site.storages.items():
        path: Path = ("site", "storages", name)
        if storage.shared and storage.type in NEVER_SHARED:
            scope.problem(
                (*path, "shared"), f"is not possible: no two hosts see the same {storage.type}",
                found="true", hint="take shared out",
            )  # fmt: skip
        if storage.size_gib is not None and not is_shared(storage):
            scope.problem(
                (*path, "sizeGib"), "has no meaning for a storage that every host has of its own",
                hint="write diskGib of the hosts instead, or shared: true",
            )  # fmt: skip


def _check_image(name: str, image: Image, site: Site, scope: Scope) -> None:
    path: Path = ("site", "images", name)
    check_storage(image.storage, "images", site, (*path, "storage"), scope)
    if (image.volume is None) == (image.url is None):
        scope.problem(
            path, "needs one of volume and url" + (", not both" if image.volume else ""),
            hint="write volume: <storage>:import/<file>, or url with sha256 and importStorage",
        )  # fmt: skip
        return
    if image.volume is not None:
        storage = image.volume.partition(":")[0]
        check_storage(storage, "import", site, (*path, "volume"), scope)
        for field, value in (("sha256", image.sha256), ("importStorage", image.import_storage)):
            if value is not None:
                scope.problem((*path, field), "goes with url only", hint="take it out")
        return
    if image.sha256 is None:
        scope.problem(path, "url needs sha256", hint="write what sha256sum prints of the file")
    if image.import_storage is None:
        scope.problem(path, "url needs importStorage", hint="write a storage of content import")
    else:
        check_storage(image.import_storage, "import", site, (*path, "importStorage"), scope)


def check_storage(storage: str, content: str, site: Site, path: Path, scope: Scope) -> None:
    """A storage that something is put on must be declared, and hold that kind of content."""
    declared = site.storages.get(storage)
    if declared is None:
        scope.problem(
            path, "is no storage of the site", found=quoted(storage),
            hint=known_names(storage, site.storages),
        )  # fmt: skip
    elif content not in declared.content:
        able = [name for name, each in site.storages.items() if content in each.content]
        others = f", or write {' or '.join(able)}" if able else ""
        scope.problem(
            path, f"does not hold {content}", found=quoted(storage),
            hint=f"add {content} to storages.{storage}.content{others}",
        )  # fmt: skip


def _check_templates(site: Site, images: Mapping[str, ImageSpec], scope: Scope) -> None:
    taken: dict[int, str] = {}
    for name, image in images.items():
        path: Path = ("site", "images", name, "vmid")
        first, last = image.templates[0].vmid, image.templates[-1].vmid
        span = str(first) if first == last else f"{first}-{last}"
        why = "" if image.shared else " (one template on each host)"
        if first <= site.vmids.last and last >= site.vmids.first:
            scope.problem(
                path, f"is within the VMIDs {site.vmids} of events{why}", found=span,
                hint="write a number outside of them, e.g. 9000",
            )  # fmt: skip
        others = {taken[number] for number in range(first, last + 1) if number in taken}
        if others:
            scope.problem(
                path, f"is in use by the templates of {', '.join(sorted(others))}{why}",
                found=span, hint=f"write {_free(taken, last - first + 1)}",
            )  # fmt: skip
        for number in range(first, last + 1):
            taken.setdefault(number, name)


def _free(taken: Mapping[int, str], count: int) -> int:
    """The next hundred above all taken VMIDs, which leaves room for `count` of them."""
    return (max(taken) // 100 + 1) * 100 if count else 0


def _check_network(site: Site, scope: Scope) -> None:
    exposed = site.network.exposed
    path: Path = ("site", "network", "exposed")
    if exposed.subnet is not None and exposed.subnet.prefixlen > SMALLEST_SUBNET:
        scope.problem(
            (*path, "subnet"), "has no room for a gateway and nodes", found=str(exposed.subnet),
            hint=f"write a network of /{SMALLEST_SUBNET} or larger",
        )  # fmt: skip
        return
    if exposed.gateway is None:
        return
    if exposed.subnet is None:
        scope.problem(
            (*path, "gateway"), "needs the subnet that it is in", found=str(exposed.gateway),
            hint="write subnet as well, or take the gateway out (DHCP tells it)",
        )  # fmt: skip
    elif exposed.gateway not in exposed.subnet or exposed.gateway in (
        exposed.subnet.network_address,
        exposed.subnet.broadcast_address,
    ):
        scope.problem(
            (*path, "gateway"), f"is no address of {exposed.subnet}", found=str(exposed.gateway),
            hint=f"write e.g. {exposed.subnet.network_address + 1}",
        )  # fmt: skip
