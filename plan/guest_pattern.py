"""The pattern in a list of guests: the names, VLANs, addresses and numbers that they follow.

Whatever does not follow one pattern is a problem at its line, because an event's stack file has
no words for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from event.names import COMPUTE, HEAD, INSTRUCTOR
from event.problems import PlanError, Problem
from plan import addressing, numbers
from plan.guest_lines import GuestLine, NicField

_CLUSTER_NODE = re.compile(r"([a-z](?:[a-z0-9-]*[a-z-])?)([0-9]{2,4})-([a-z][a-z0-9-]*)")
_STEM = re.compile(r"([a-z][a-z0-9-]*?)([1-9][0-9]*)")
_LAST_START = (1 << addressing.BITS) - (1 << 16)

_PREFIXES = (24, 25, *range(23, 15, -1))  # lengths of a cluster's subnet, the usual one first


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternNode:
    """A guest's place: node `position` (from 0) of a group of cluster `number`."""

    line: GuestLine
    number: int
    group: str
    position: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What all guests have alike."""

    prefix: str
    nodes: tuple[PatternNode, ...]
    instructor: GuestLine | None
    first_vlan: int
    private: IPv4Network
    subnet_prefix: int
    first_exposed: IPv4Address | None  # None if heads use DHCP
    first_vmid: int | None  # None if the MACs are not practicum's
    highest: int  # number of a cluster; retired ones count as far as they left a trace


@dataclass(frozen=True, slots=True)
class _Named:
    line: GuestLine
    prefix: str
    number: int
    group: str
    position: int

    @property
    def inside(self) -> NicField:
        return self.line.nics[-1]


def find_pattern(lines: Sequence[GuestLine]) -> Pattern:
    """The pattern of the guests. Raises `PlanError` with every line that breaks it."""
    problems: list[Problem] = []
    instructor = next((line for line in lines if line.name == INSTRUCTOR), None)
    named = [
        each
        for line in lines
        if line is not instructor
        for each in (_named(line, problems),)
        if each is not None
    ]
    if not named:
        problems.append(Problem(message="there is no guest of a cluster", hint="write c01-head …"))
    _stop_if_any(problems)
    prefix = named[0].prefix
    _alike(named, [each.prefix for each in named], "begins another name than", problems)
    first_vlans = [(each.inside.vlan or 0) - each.number for each in named]
    _alike(named, first_vlans, "has the VLAN of another cluster, judging by", problems)
    highest = _highest(named, instructor)
    subnet_prefix, base = _subnets(named, highest, problems)
    exposed = _first_exposed(named, problems)
    _stop_if_any(problems)
    nodes = tuple(
        PatternNode(
            line=each.line,
            number=each.number,
            group=each.group,
            position=each.position,
            index=int(each.inside.address or 0) - base - _offset(each.number, subnet_prefix),
        )
        for each in named
    )
    return Pattern(
        prefix=prefix,
        nodes=nodes,
        instructor=instructor,
        first_vlan=first_vlans[0],
        private=_private(base, subnet_prefix, highest),
        subnet_prefix=subnet_prefix,
        first_exposed=exposed,
        first_vmid=_first_vmid(nodes),
        highest=highest,
    )


def _named(line: GuestLine, problems: list[Problem]) -> _Named | None:
    """The guest's cluster and node by its name, if its NICs are those of a node."""
    match = _CLUSTER_NODE.fullmatch(line.name)
    node = match[3] if match else ""
    stem = _STEM.fullmatch(node)
    if match is None or (node != HEAD and stem is None):
        problems.append(
            Problem(
                where=line.where, found=line.name, message="is no <cluster>-<node>",
                hint="write e.g. c07-head, c07-n1 or c07-storage1; instructor is alone",
            )
        )  # fmt: skip
        return None
    inside = line.nics[-1]
    if len(line.nics) > 2 or inside.vlan is None or inside.address is None:
        problems.append(
            Problem(
                where=line.where, found=line.name, message="has other NICs than a node has",
                hint="write an exposed one or none, then one with the VLAN and address of its "
                "cluster",
            )
        )  # fmt: skip
        return None
    group, position = HEAD, 0
    if stem is not None and node != HEAD:
        group, position = COMPUTE if stem[1] == "n" else stem[1], int(stem[2]) - 1
    return _Named(line, match[1], int(match[2]), group, position)


def _alike(
    named: Sequence[_Named], values: Sequence[object], what: str, problems: list[Problem]
) -> None:
    """Every guest has the same value; the commonest one counts as right."""
    usual = max(set(values), key=lambda value: (values.count(value), -values.index(value)))
    example = named[values.index(usual)].line.name
    problems += [
        Problem(
            where=each.line.where, found=each.line.name, message=f"{what} {example}",
            hint="an event has one rule for all of its clusters",
        )
        for each, value in zip(named, values, strict=True)
        if value != usual
    ]  # fmt: skip


def _highest(named: Sequence[_Named], instructor: GuestLine | None) -> int:
    """The highest number of a cluster. The instructors' node has a NIC for each, or a trunk."""
    legs = instructor.nics[1:] if instructor else ()
    trunk = any(nic.trunk for nic in legs)
    traced = numbers.MOST_CLUSTER_NICS + 1 if trunk else len(legs)
    return max(traced, *(each.number for each in named))


def _subnets(named: Sequence[_Named], highest: int, problems: list[Problem]) -> tuple[int, int]:
    """Prefix length of a cluster's subnet, and first address of the private range as a number."""
    for prefix in _PREFIXES:
        bases = _bases(named, prefix)
        if len(set(bases)) == 1 and bases[0] >= 0 and all(_indexed(each, prefix) for each in named):
            private = _private(bases[0], prefix, highest)
            if int(private.network_address) == bases[0]:
                return prefix, bases[0]
    _alike(named, _bases(named, _PREFIXES[0]), "is not in the subnet that follows from", problems)
    if not problems:
        problems.append(
            Problem(
                where=named[0].line.where, found=named[0].line.name,
                message="has no address that follows from its cluster's number",
                hint="cluster n has the n-th subnet of a range, its nodes addresses 1 to 99",
            )
        )  # fmt: skip
    return _PREFIXES[0], 0


def _bases(named: Sequence[_Named], prefix: int) -> list[int]:
    size = 1 << (addressing.BITS - prefix)
    return [
        int(each.inside.address or 0) // size * size - _offset(each.number, prefix)
        for each in named
    ]


def _indexed(each: _Named, prefix: int) -> bool:
    index = int(each.inside.address or 0) % (1 << (addressing.BITS - prefix))
    return 1 <= index <= numbers.LAST_INDEX


def _offset(number: int, prefix: int) -> int:
    return number << (addressing.BITS - prefix)


def _private(base: int, subnet_prefix: int, highest: int) -> IPv4Network:
    """The smallest range whose n-th subnets are those of all clusters."""
    return IPv4Network(
        (base, addressing.prefix_that_fits(highest + 1, subnet_prefix)), strict=False
    )


def _first_exposed(named: Sequence[_Named], problems: list[Problem]) -> IPv4Address | None:
    """First exposed address, if heads have fixed ones; other nodes have none."""
    heads = [each for each in named if each.group == HEAD and len(each.line.nics) == 2]
    problems += [
        Problem(
            where=each.line.where, found=each.line.name,
            message="has a fixed exposed address, which only heads have", hint="write dhcp",
        )
        for each in named
        if each.group != HEAD and len(each.line.nics) == 2 and each.line.nics[0].address
    ]  # fmt: skip
    firsts = [
        int(address) - each.number if (address := each.line.nics[0].address) else None
        for each in heads
    ]
    if not firsts:
        return None
    _alike(heads, firsts, "has an exposed address that does not follow like", problems)
    # Out of IPv4's bounds only if the lines are nonsense; the event's own checks tell then.
    return IPv4Address(min(max(firsts[0], 0), _LAST_START)) if firsts[0] is not None else None


def _first_vmid(nodes: Sequence[PatternNode]) -> int | None:
    """First VMID of the event, if all MACs are made from VMIDs as practicum does."""
    firsts = set()
    for node in nodes:
        for position, nic in enumerate(node.line.nics):
            vmid = int(nic.mac.replace(":", "")[2:10], 16)
            if nic.mac != numbers.mac(vmid, position):
                return None
            firsts.add(vmid - numbers.vmid(0, node.number, node.index))
    return firsts.pop() if len(firsts) == 1 else None


def _stop_if_any(problems: Sequence[Problem]) -> None:
    if problems:
        raise PlanError(problems)
