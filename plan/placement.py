"""Placement: which host each guest is on.

The rule, in order:

1. The instructors' node is on its pin, else on the last declared host that takes guests; other
   pinned guests are on their pins.
2. Every other guest has a home: the host whose turn it is (`plan.wheel`), or the next one that its
   cluster does not use yet. Homes count drained hosts in, so draining moves nobody else.
3. A guest whose home is drained or full goes to a host that its cluster does not use yet:
   `plan.relief` says in which order they come in question, and the first with room is taken. So
   it depends on other clusters only where space is short.

Nodes of a cluster share a host only if there are fewer hosts than nodes; then evenly. A guest
that fits nowhere is put at home all the same, or on its first candidate: `plan.shortage` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plan.hosts import HostSpec
from plan.relief import Relief, home
from plan.roster import ClusterSpec, NodeSpec
from plan.wheel import Wheel

# Sizes are sums of a few thousand decimal fractions at most; this is far below one MiB or core.
_ROUNDING = 1e-6


@dataclass(slots=True)
class Room:
    """Cores, memory (MiB) and own disk (GiB) that hosts have left, by position."""

    cores: list[float]
    memory: list[float]
    disk: list[float]

    def fits(self, node: NodeSpec, host: int) -> bool:
        """Whether a host has room for one more node."""
        return (
            node.cores <= self.cores[host] + _ROUNDING
            and node.memory_mib <= self.memory[host] + _ROUNDING
            and node.local_gib <= self.disk[host] + _ROUNDING
        )

    def take(self, node: NodeSpec, host: int) -> None:
        """Count a node on a host, whether it fits or not."""
        self.cores[host] -= node.cores
        self.memory[host] -= node.memory_mib
        self.disk[host] -= node.local_gib

    def copy(self) -> Room:
        """The same room, to try something out."""
        return Room(list(self.cores), list(self.memory), list(self.disk))


@dataclass(slots=True)
class Placement:
    """Positions of hosts: `places[c][i]` is of node i of cluster c of the roster."""

    wheel: Wheel
    relief: Relief
    usable: frozenset[int]  # hosts that the round robin may put guests on
    room: Room
    places: list[list[int]]
    instructor: int | None = None
    crowded: list[int] = field(default_factory=list)  # places in the roster: nodes share a host
    overflowed: list[tuple[int, int]] = field(default_factory=list)  # (cluster, node): home is full


def place(
    hosts: Sequence[HostSpec],
    clusters: Sequence[ClusterSpec],
    instructor: NodeSpec | None,
    wheel: Wheel,
) -> Placement:
    """The host of every guest. At least one host must be usable."""
    usable = frozenset(host.position for host in hosts if host.share and not host.drain)
    placement = Placement(
        wheel=wheel,
        relief=Relief(wheel, usable),
        usable=usable,
        room=Room(
            [host.cores for host in hosts],
            [host.memory_mib for host in hosts],
            [host.disk_gib for host in hosts],
        ),
        places=[[-1] * len(cluster.nodes) for cluster in clusters],
    )
    if instructor is not None:
        placement.instructor = (
            instructor.pin if instructor.pin is not None else max(placement.usable)
        )
        placement.room.take(instructor, placement.instructor)
    _place_pinned(placement, clusters)
    displaced = _place_at_home(placement, clusters)
    _place_displaced(placement, clusters, displaced)
    for position, places in enumerate(placement.places):
        if len(set(places)) < len(places):
            placement.crowded.append(position)
    return placement


def _place_pinned(placement: Placement, clusters: Sequence[ClusterSpec]) -> None:
    for position, cluster in enumerate(clusters):
        for i, node in enumerate(cluster.nodes):
            if node.pin is not None:
                placement.places[position][i] = node.pin
                placement.room.take(node, node.pin)


_Displaced = tuple[int, int, int]
"""Place of a cluster in the roster, place of a node in it, and the node's home."""


def _place_at_home(placement: Placement, clusters: Sequence[ClusterSpec]) -> list[_Displaced]:
    """Put guests on their homes; returns those that cannot be there."""
    displaced: list[_Displaced] = []
    room, usable = placement.room, placement.usable
    for position, cluster in enumerate(clusters):
        places = placement.places[position]
        homes = [host for host in places if host >= 0]
        for i, node in enumerate(cluster.nodes):
            if node.pin is not None:
                continue
            own = home(placement.wheel, cluster.number, node.seat, homes)
            homes.append(own)
            if own in usable and room.fits(node, own):
                places[i] = own
                room.take(node, own)
                continue
            displaced.append((position, i, own))
            if own in usable:
                placement.overflowed.append((position, i))
    return displaced


def _place_displaced(
    placement: Placement, clusters: Sequence[ClusterSpec], displaced: Sequence[_Displaced]
) -> None:
    for position, i, own in displaced:
        cluster, places = clusters[position], placement.places[position]
        node = cluster.nodes[i]
        used = [host for host in places if host >= 0]
        candidates = placement.relief.candidates(cluster.number, node.seat, used)
        last = own if own in placement.usable else candidates[0]
        host = next((each for each in candidates if placement.room.fits(node, each)), last)
        places[i] = host
        placement.room.take(node, host)
