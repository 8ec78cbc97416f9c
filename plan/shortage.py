"""Shortage: what an event that does not fit is told. A table, and what to write instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from event.model import Overcommit
from event.stack import SiteStack
from plan.capacity import exceeded, lacks, too_small
from plan.findings import Scope
from plan.hosts import MIB_PER_GIB
from plan.records import HostLoad, Load
from plan.seating import Seating, Seats

SHOWN_HOSTS = 12
"""Hosts that the table shows; those that lack most come first."""

_Resource = tuple[str, str, Callable[[HostLoad], Load], float]
_RESOURCES: tuple[_Resource, ...] = (
    ("cores", "cores", lambda host: host.cores, 1),
    ("memory", "memory GiB", lambda host: host.memory_mib, MIB_PER_GIB),
    ("disk", "disk GiB", lambda host: host.disk_gib, 1),
)


def report_shortage(seating: Seating, seats: Seats, stack: SiteStack, scope: Scope) -> None:
    """Write down that hosts or shared storages of the site are too small, if they are."""
    short = [host for host in seats.hosts if lacks(host)]
    small = [load for load in seats.storages if load.have_gib is not None and too_small(load)]
    if not short and not small:
        return
    fitting = seating.most_that_fit()
    fewer = [f"write count: {fitting}"] if fitting else []
    if short:
        _report_hosts(short, seats, fewer, stack, scope)
    for load in small:
        scope.problem(
            ("event", "clusters"),
            f"the guests' disks do not fit on the storage {load.name} of {stack.name}: "
            f"need {_number(load.need_gib)} GiB, have {_number(load.have_gib or 0)} GiB",
            hint=_or([*fewer, "write smaller disks (diskGib)", "enlarge the storage"]),
        )


def _report_hosts(
    short: Sequence[HostLoad], seats: Seats, fewer: Sequence[str], stack: SiteStack, scope: Scope
) -> None:
    resources = [
        resource for resource in _RESOURCES if any(exceeded(resource[2](host)) for host in short)
    ]
    names = _and([name for name, _, _, _ in resources])
    pinned = {seats.hosts[each.host].name for each in seats.nodes if each.node.pin is not None}
    hints = list(fewer)
    if at := [host.name for host in short if host.name in pinned]:
        hints.append(f"take pins to {at[0]} out")
    hints.append("declare more hosts")
    factors = _overcommit(short, resources, stack.site.overcommit)
    hints.append(f"write overcommit: {{{factors}}} in the stack {stack.name}")
    scope.problem(
        ("event", "clusters"),
        f"the guests do not fit on the hosts of {stack.name}: not enough {names} "
        f"on {len(short)} of {len(seats.hosts)} hosts",
        hint=f"{_or(hints)}\n{table(short)}",
    )


def table(hosts: Sequence[HostLoad]) -> str:
    """Need against have of hosts, those that lack most first; text in fixed columns."""
    ordered = sorted(hosts, key=lambda host: -_worst(host))
    rows = [("host", "guests", *(f"{title} need/have" for _, title, _, _ in _RESOURCES))]
    rows += [
        (
            host.name,
            str(host.guests),
            *(_cell(pick(host), unit) for _, _, pick, unit in _RESOURCES),
        )
        for host in ordered[:SHOWN_HOSTS]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  "
        + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if len(ordered) > SHOWN_HOSTS:
        lines.append(f"  … and {len(ordered) - SHOWN_HOSTS} more hosts")
    return "\n".join(lines)


def _cell(load: Load, unit: float) -> str:
    mark = " !" if exceeded(load) else ""
    return f"{_number(load.need / unit)}/{_number(load.have / unit)}{mark}"


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if value < 1e5 else f"{value:.0f}"


def _worst(host: HostLoad) -> float:
    return max(_ratio(pick(host)) for _, _, pick, _ in _RESOURCES)


def _ratio(load: Load) -> float:
    return load.need / load.have if load.have else math.inf if load.need else 0


def _overcommit(short: Sequence[HostLoad], resources: Sequence[_Resource], now: Overcommit) -> str:
    """Values of the site's overcommit that would do, rounded up to tenths."""
    wanted = {
        name: getattr(now, name) * max(_ratio(pick(host)) for host in short)
        for name, _, pick, _ in resources
    }
    return ", ".join(f"{name}: {math.ceil(value * 10) / 10:g}" for name, value in wanted.items())


def _and(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _or(hints: Sequence[str]) -> str:
    return ", or ".join(hints)
