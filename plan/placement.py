"""Placement: which host each guest is on.

The rule, in order:

1. The instructors' node is on its pin, else on the last declared host that takes guests; other
   pinned guests are on their pins.
2. Every other guest has a home: the host whose turn it is (`plan.wheel`), or the next one that its
   cluster does not use yet. Homes count drained hosts in, so draining moves nobody else.
3. A guest whose home is drained or full goes to a host that its cluster does not use yet: the
   candidates in turn order, entered at a place that follows from the guest's own turn, and the
   first of them with room. So it depends on other clusters only where space is short.

Nodes of a cluster share a host only if there are fewer hosts than nodes; then evenly. A guest
that fits nowhere is put at home all the same, or on its first candidate: `plan.shortage` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plan.hosts import HostSpec
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
    usable: frozenset[int]  # hosts that the round robin may put guests on
    room: Room
    places: list[list[int]]
    instructor: int | None = None
    crowded: list[int] = field(default_factory=list)  # places in the roster: nodes share a host
    overflowed: list[tuple[int, int]] = field(default_factory=list)  # (cluster, node): home is full

    def candidates(
        self, cluster: ClusterSpec, node: NodeSpec, used: Sequence[int], lost: int = -1
    ) -> list[int]:
        """Hosts for a guest that cannot be at home, the preferred one first.

        `used` are the hosts of the cluster's other nodes. Those that fewest of them are on come
        in question; which one is first follows from how often the wheel has gone round, so that
        the guests of one drained host spread over all others. `lost` is a host to do without.
        """
        turn = self.wheel.turn(cluster.number, node.seat)
        free = [
            host for host in self.wheel.hosts_from(turn) if host in self.usable and host != lost
        ]
        least = min((used.count(host) for host in free), default=0)
        free = [host for host in free if used.count(host) == least]
        if not free:
            return []
        start = turn // len(self.wheel.turns) % len(free)
        return free[start:] + free[:start]


def place(
    hosts: Sequence[HostSpec],
    clusters: Sequence[ClusterSpec],
    instructor: NodeSpec | None,
    wheel: Wheel,
) -> Placement:
    """The host of every guest. At least one host must be usable."""
    placement = Placement(
        wheel=wheel,
        usable=frozenset(host.position for host in hosts if host.share and not host.drain),
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
            home = _home(placement.wheel, cluster, node, homes)
            homes.append(home)
            if home in usable and room.fits(node, home):
                places[i] = home
                room.take(node, home)
                continue
            displaced.append((position, i, home))
            if home in usable:
                placement.overflowed.append((position, i))
    return displaced


def _home(wheel: Wheel, cluster: ClusterSpec, node: NodeSpec, homes: Sequence[int]) -> int:
    """Host whose turn it is, or the next one that fewest of the cluster's homes are on."""
    turn = wheel.turn(cluster.number, node.seat)
    home = wheel.turns[turn % len(wheel.turns)]
    if home not in homes:
        return home
    return min(wheel.hosts_from(turn), key=homes.count)


def _place_displaced(
    placement: Placement, clusters: Sequence[ClusterSpec], displaced: Sequence[_Displaced]
) -> None:
    for position, i, home in displaced:
        cluster, places = clusters[position], placement.places[position]
        node = cluster.nodes[i]
        candidates = placement.candidates(cluster, node, [host for host in places if host >= 0])
        last = home if home in placement.usable else candidates[0]
        host = next((each for each in candidates if placement.room.fits(node, each)), last)
        places[i] = host
        placement.room.take(node, host)
