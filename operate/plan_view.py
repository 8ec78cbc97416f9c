"""`plan`: an event or site as tables for people. No engine and no connection is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from plan.loads import HostLoad, Load
from plan.outputs import outputs
from plan.own_steps import step_lines
from plan.records import EventPlan, Guest, SitePlan

Row = Sequence[str]


def event_text(plan: EventPlan, *, guests: bool) -> list[str]:
    """The plan of an event: clusters, hosts and totals; with `guests` a line for each guest."""
    totals = plan.totals
    lines = [
        f"{plan.stack}: {plan.title}".rstrip(": "),
        f"{totals.clusters} clusters, {totals.guests} guests on {totals.hosts} hosts of site "
        f"{plan.site} ({plan.api.endpoint})",
        "",
    ]
    if guests:
        lines += table(_GUEST_HEAD, (_guest_row(guest) for guest in plan.guests))
    else:
        lines += table(_CLUSTER_HEAD, _cluster_rows(plan))
    lines += ["", *table(_HOST_HEAD, (_host_row(host) for host in plan.hosts)), ""]
    lines.append(
        f"cores {_load(totals.cores)}, memory {_load(totals.memory_mib, 1024)} GiB, "
        f"disk {_load(totals.disk_gib)} GiB on hosts"
    )
    lines += [
        f"storage {each.name}: {each.need_gib:g} of {each.have_gib:g} GiB" for each in plan.storages
    ]
    lost = (
        "any host" if totals.survives_loss_of_any_host else f"a host, but not {totals.worst_loss}"
    )
    lines.append(f"there is room for the guests of {lost} on the others")
    return [*lines, *step_lines(plan)]


def site_text(plan: SitePlan) -> list[str]:
    """The plan of a site: hosts with their bridges, images with their templates, logins."""
    lines = [f"{plan.stack}: {plan.title}".rstrip(": "), f"API {plan.api.endpoint}"]
    lines += [*_hardware(plan), ""]
    lines += table(
        ("host", "bridge", "VLANs", "ports"),
        ((host.name, host.bridge, host.vids, " ".join(host.ports) or "–") for host in plan.hosts),
    )
    lines += [""]
    lines += table(
        ("image", "template", "on", "storage", "disk"),
        (
            (image.name, str(each.vmid), each.host, each.storage, f"{each.disk_gib} GiB")
            for image in plan.images
            for each in image.templates
        ),
    )
    lines += [f"login {user.user_id}: {user.role}" for user in plan.users]
    lines += [f"backup {job.job_id}: {job.schedule} on {job.storage}" for job in plan.backups]
    return lines


def _hardware(plan: SitePlan) -> list[str]:
    """What the hosts that are not drained have in all."""
    if plan.capacity is None:
        return []
    have = outputs(plan)["totals"]
    return [
        f"{have['hosts']} hosts: {have['cores']['have']:g} cores, "
        f"{have['memoryGib']['have']:g} GiB of memory, {have['diskTib']['have']:g} TiB of disk"
    ]


_GUEST_HEAD = ("guest", "host", "VMID", "image", "cores", "MiB", "GiB", "VLANs", "addresses")
_CLUSTER_HEAD = ("cluster", "VLAN", "subnet", "head", "guests", "hosts", "title")
_HOST_HEAD = ("host", "guests", "cores", "memory GiB", "disk GiB", "")


def _guest_row(guest: Guest) -> Row:
    addresses = [
        "dhcp" if nic.dhcp else str(nic.address)
        for nic in guest.interfaces
        if nic.dhcp or nic.address
    ]
    vlans = [str(nic.vlan) if nic.vlan else "–" for nic in guest.interfaces if nic.connected]
    return (
        guest.name,
        guest.host,
        str(guest.vmid),
        guest.template.image,
        str(guest.cores),
        str(guest.memory_mib),
        str(guest.disk_gib),
        _some(vlans),
        _some(addresses),
    )


def _cluster_rows(plan: EventPlan) -> Iterable[Row]:
    if plan.instructor:
        nic = plan.instructor.interfaces[0]
        address = str(nic.address.ip) if nic.address else "dhcp"
        yield ("instructor", "all", "–", address, "1", plan.instructor.host, "")
    for cluster in plan.clusters:
        nic = cluster.guests[0].interfaces[0]
        yield (
            cluster.name,
            str(cluster.network.vlan),
            str(cluster.network.subnet),
            str(nic.address.ip) if nic.address else "dhcp",
            str(len(cluster.guests)),
            " ".join(guest.host for guest in cluster.guests),
            cluster.title if cluster.title != plan.title else "",
        )


def _host_row(host: HostLoad) -> Row:
    return (
        host.name,
        str(host.guests),
        _load(host.cores),
        _load(host.memory_mib, 1024),
        _load(host.disk_gib),
        "drained" if host.drain else "",
    )


def _load(load: Load, unit: int = 1) -> str:
    return f"{load.need / unit:.4g} of {load.have / unit:.4g}"


def _some(texts: list[str], most: int = 3) -> str:
    return " ".join(texts[:most]) + (f" … {len(texts)}" if len(texts) > most else "")


def table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Columns with a head; the last column is as wide as it is."""
    body = [list(map(str, row)) for row in rows]
    if not body:
        return []
    lines = [list(head), *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        text[0] = f"\033[1m{text[0]}\033[0m"
    return text
