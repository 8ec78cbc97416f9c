"""Ranges: whether the event's VLANs, VMIDs, subnets and addresses are enough and nobody else's."""

from __future__ import annotations

from ipaddress import IPv4Address

from event.model import Event, Site
from event.problems import Path
from event.values import AddressRange
from plan import addressing, numbers
from plan.findings import Scope


def check_ranges(event: Event, site: Site, scope: Scope) -> None:
    """Write down every range of the event that is too small, or not the event's to use."""
    _check_vlans(event, site, scope)
    _check_vmids(event, site, scope)
    _check_subnets(event, site, scope)
    if event.network.exposed_addresses is not None:
        _check_exposed(event, site, event.network.exposed_addresses, scope)


def _check_vlans(event: Event, site: Site, scope: Scope) -> None:
    path: Path = ("event", "network", "vlans")
    vlans, count = event.network.vlans, event.clusters.count
    allowed = site.network.vlans
    needed_last = numbers.vlan(vlans.first, count)
    if vlans.last < needed_last:
        scope.problem(
            path, f"has VLANs for {len(vlans) - 1} clusters (the first VLAN stays unused), "
            f"{count} are wanted", found=str(vlans), hint=f"write {vlans.first}-{needed_last}",
        )  # fmt: skip
    if not allowed.covers(vlans):
        last = allowed.first + max(len(vlans) - 1, count)
        room = f"write {allowed.first}-{last}" if last <= allowed.last else f"write {allowed}"
        scope.problem(
            path, f"is not within the site's VLANs {allowed}", found=str(vlans), hint=room
        )


def _check_vmids(event: Event, site: Site, scope: Scope) -> None:
    path: Path = ("event", "vmids")
    vmids, count, allowed = event.vmids, event.clusters.count, site.vmids
    needed_last = numbers.vmid(vmids.first, count, numbers.LAST_INDEX)
    if vmids.last < needed_last:
        fits = max(0, len(vmids) // numbers.VMIDS_PER_CLUSTER - 1)
        scope.problem(
            path, f"has VMIDs for {fits} clusters ({numbers.VMIDS_PER_CLUSTER} each, and as many "
            f"for the instructors' node), {count} are wanted", found=str(vmids),
            hint=f"write {vmids.first}-{needed_last}",
        )  # fmt: skip
    if not allowed.covers(vmids):
        last = min(allowed.last, allowed.first + needed_last - vmids.first)
        scope.problem(
            path, f"is not within the site's VMIDs {allowed}", found=str(vmids),
            hint=f"write {allowed.first}-{last}",
        )  # fmt: skip


def _check_subnets(event: Event, site: Site, scope: Scope) -> None:
    path: Path = ("event", "network", "private")
    private, prefix = event.network.private, event.network.subnet_prefix
    wanted, have = event.clusters.count + 1, addressing.subnet_count(private, prefix)
    if have < wanted:
        fitting = addressing.prefix_that_fits(wanted, prefix)
        scope.problem(
            path, f"has {have} subnets of /{prefix} (the first stays unused), "
            f"{event.clusters.count} clusters need {wanted}", found=str(private),
            hint=f"write {private.network_address}/{fitting} or a larger range"
            if addressing.aligned(private, fitting) else f"write a range of /{fitting} or larger",
        )  # fmt: skip
    if not addressing.is_private(private):
        scope.problem(
            path, "is not a private range", found=str(private),
            hint="write one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )  # fmt: skip
    outside = site.network.exposed.subnet
    if outside is not None and private.overlaps(outside):
        scope.problem(
            path, f"overlaps the site's exposed network {outside}", found=str(private),
            hint="write a range apart from it",
        )  # fmt: skip
    for server in site.network.dns:
        if server in private:
            scope.problem(
                path, f"holds the site's name server {server}", found=str(private),
                hint="write a range without it",
            )  # fmt: skip


def _check_exposed(event: Event, site: Site, addresses: AddressRange, scope: Scope) -> None:
    path: Path = ("event", "network", "exposedAddresses")
    exposed, wanted = site.network.exposed, event.clusters.count + 1
    if len(addresses) < wanted:
        scope.problem(
            path, f"has {len(addresses)} addresses; {event.clusters.count} clusters need {wanted}, "
            "the first being the instructors' node's", found=str(addresses),
            hint=f"write {addresses.first}-{addresses.first + wanted - 1}",
        )  # fmt: skip
    if exposed.subnet is None:
        scope.problem(
            path, "needs the subnet of the exposed network, which the site does not have",
            found=str(addresses),
            hint=f"write network.exposed.subnet in the stack {event.on}, or take the addresses "
            "out: DHCP is used then",
        )  # fmt: skip
        return
    inside = addressing.usable(exposed.subnet)
    if addresses.first not in inside or addresses.last not in inside:
        scope.problem(
            path, f"is not within the addresses {inside} of the site's exposed network",
            found=str(addresses), hint=f"write addresses of {exposed.subnet}",
        )  # fmt: skip
    taken: list[tuple[str, IPv4Address]] = [("name server", each) for each in site.network.dns]
    if exposed.gateway is not None:
        taken.insert(0, ("gateway", exposed.gateway))
    for what, address in taken:
        if address in addresses:
            scope.problem(
                path, f"holds the site's {what} {address}", found=str(addresses),
                hint="write a range without it",
            )  # fmt: skip
