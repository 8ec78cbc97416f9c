"""Shortage: what an event that does not fit is told. What to write instead, and a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from event.model import Overcommit
from event.problems import PlanError, Problem
from event.stack import EventStack
from plan.capacity import exceeded, lacks, too_small
from plan.hosts import MIB_PER_GIB
from plan.loads import HostLoad, Load, StorageLoad
from plan.phrases import all_of, either, number
from plan.seating import Seating, Seats

SHOWN_HOSTS = 12
"""Hosts that the table shows; those that lack most come first."""


@dataclass(frozen=True, slots=True)
class _Resource:
    name: str  # as in the site's overcommit
    title: str
    unit: float
    load: Callable[[HostLoad], Load]


_RESOURCES = (
    _Resource("cores", "cores", 1, lambda host: host.cores),
    _Resource("memory", "memory GiB", MIB_PER_GIB, lambda host: host.memory_mib),
    _Resource("disk", "disk GiB", 1, lambda host: host.disk_gib),
)


class CapacityError(PlanError):
    """The guests need more than the hosts or storages have; `table` says what of which host."""

    def __init__(self, problems: Iterable[Problem], table: str) -> None:
        super().__init__(problems)
        self.table = table

    def __str__(self) -> str:
        return "\n".join(filter(None, (super().__str__(), self.table)))


def stop_if_short(seating: Seating, seats: Seats, stack: EventStack) -> None:
    """Raise `CapacityError` if hosts or shared storages of the site are too small."""
    if seats.fit:
        return
    fitting = seating.most_that_fit()
    fewer = [f"write count: {fitting}"] if fitting else []
    short = [host for host in seats.hosts if lacks(host)]
    problems = [_hosts_problem(short, seats, fewer, stack)] if short else []
    problems += [_storage_problem(load, fewer, stack) for load in seats.storages if too_small(load)]
    raise CapacityError(problems, table(short) if short else "")


def _hosts_problem(
    short: Sequence[HostLoad], seats: Seats, fewer: Sequence[str], stack: EventStack
) -> Problem:
    site = stack.site
    resources = [each for each in _RESOURCES if any(exceeded(each.load(host)) for host in short)]
    names = all_of([each.name for each in resources])
    pinned = {seats.hosts[each.host].name for each in seats.nodes if each.node.pin is not None}
    hints = list(fewer)
    if at := [host.name for host in short if host.name in pinned]:
        hints.append(f"take pins to {at[0]} out")
    hints.append(f"declare more hosts in the stack {site.name}")
    factors = _overcommit(short, resources, site.site.overcommit)
    hints.append(f"write overcommit: {{{factors}}} there")
    return stack.problem(
        ("event", "clusters"),
        f"the guests do not fit on the hosts of {site.name}: not enough {names} "
        f"on {len(short)} of {len(seats.hosts)} hosts",
        hint=either(hints),
    )


def _storage_problem(load: StorageLoad, fewer: Sequence[str], stack: EventStack) -> Problem:
    return stack.problem(
        ("event", "clusters"),
        f"the guests' disks do not fit on the storage {load.name} of {stack.site.name}: "
        f"need {number(load.need_gib)} GiB, have {number(load.have_gib)} GiB",
        hint=either([*fewer, "write smaller disks (diskGib)", "enlarge the storage"]),
    )


def table(hosts: Sequence[HostLoad]) -> str:
    """Need against have of hosts, those that lack most first; text in fixed columns."""
    ordered = sorted(hosts, key=lambda host: -_worst(host))
    rows = [("host", "guests", *(f"{each.title} need/have" for each in _RESOURCES))]
    rows += [
        (
            host.name,
            str(host.guests),
            *(_cell(each.load(host), each.unit) for each in _RESOURCES),
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
    return f"{number(load.need / unit)}/{number(load.have / unit)}{mark}"


def _worst(host: HostLoad) -> float:
    return max(_ratio(each.load(host)) for each in _RESOURCES)


def _ratio(load: Load) -> float:
    return load.need / load.have if load.have else math.inf if load.need else 0


def _overcommit(short: Sequence[HostLoad], resources: Sequence[_Resource], now: Overcommit) -> str:
    """Values of the site's overcommit that would do, rounded up to tenths."""
    wanted = {
        each.name: getattr(now, each.name) * max(_ratio(each.load(host)) for host in short)
        for each in resources
    }
    return ", ".join(f"{name}: {math.ceil(value * 10) / 10:g}" for name, value in wanted.items())
