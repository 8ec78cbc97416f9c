"""The survey of a site: its hosts and images unfolded, and what is wrong with them.

Both plans start here: that of the site, and that of each event on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from event.model import Site
from event.problems import Path
from event.stack import SiteStack
from plan.addressing import usable
from plan.findings import Findings, Scope
from plan.hosts import HostSpec, unfold_hosts
from plan.images import NEVER_SHARED, ImageSpec, image_specs, is_shared
from plan.records import Api
from plan.services import check_services

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
    _check_storages(site, scope)
    images = image_specs(site, hosts)
    _check_templates(site, images, scope)
    _check_network(site, scope)
    check_services(stack, hosts, scope)
    return SiteSurvey(hosts=hosts, images=images)


def api(site: Site) -> Api:
    """Where the site's API is, as a record."""
    return Api(
        endpoint=site.api.endpoint,
        insecure=site.api.insecure,
        ca_file=site.api.ca_file,
        token_file=site.api.token_file,
    )


def _check_storages(site: Site, scope: Scope) -> None:
    used = {image.storage for image in site.images.values()}
    for name, storage in site.storages.items():
        path: Path = ("site", "storages", name)
        if storage.shared and storage.type in NEVER_SHARED:
            scope.problem(
                (*path, "shared"), f"is not possible: no two hosts see the same {storage.type}",
                found="true", hint="take shared out",
            )  # fmt: skip
        elif is_shared(storage) and storage.size_gib is None and name in used:
            scope.problem(
                path, "has no size, so nobody can tell whether the guests' disks fit",
                hint="write sizeGib",
            )  # fmt: skip
        elif storage.size_gib is not None and not is_shared(storage):
            scope.problem(
                (*path, "sizeGib"), "has no meaning for a storage that every host has of its own",
                hint="write diskGib of the hosts instead, or shared: true",
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
    network, exposed = site.network, site.network.exposed
    path: Path = ("site", "network", "exposed")
    if exposed.bridge == network.bridge and exposed.vlan is None:
        scope.problem(
            ("site", "network", "bridge"), "is the bridge of the exposed network, which is there "
            "already; practicum makes another one for the clusters", found=network.bridge,
            hint=f"write another name, e.g. {'vmbr2' if network.bridge == 'vmbr1' else 'vmbr1'}",
        )  # fmt: skip
    elif exposed.bridge == network.bridge and exposed.vlan in network.vlans:
        scope.problem(
            (*path, "vlan"), f"is one of the clusters' VLANs {network.vlans} on the same bridge",
            found=str(exposed.vlan), hint="write a VLAN outside of them, or another bridge",
        )  # fmt: skip
    if exposed.subnet is None:
        if exposed.gateway is not None:
            scope.problem(
                (*path, "gateway"), "needs the subnet that it is in", found=str(exposed.gateway),
                hint="write subnet as well, or take the gateway out (DHCP tells it)",
            )  # fmt: skip
    elif exposed.subnet.prefixlen > SMALLEST_SUBNET:
        scope.problem(
            (*path, "subnet"), "has no room for a gateway and nodes", found=str(exposed.subnet),
            hint=f"write a network of /{SMALLEST_SUBNET} or larger",
        )  # fmt: skip
    elif exposed.gateway is not None and exposed.gateway not in usable(exposed.subnet):
        scope.problem(
            (*path, "gateway"), f"is no address of {exposed.subnet}", found=str(exposed.gateway),
            hint=f"write e.g. {exposed.subnet.network_address + 1}",
        )  # fmt: skip
