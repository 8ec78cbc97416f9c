"""Seating: the roster placed on the hosts and summed up; all of it, or its first clusters only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from event.model import Site
from plan.capacity import Seated, host_loads, lacks, seated, storage_loads, too_small
from plan.hosts import HostSpec
from plan.loads import HostLoad, StorageLoad
from plan.placement import Placement, place
from plan.roster import NodeSpec, Roster
from plan.wheel import wheel


@dataclass(frozen=True, slots=True)
class Seats:
    """A placement with its sums."""

    placement: Placement
    nodes: tuple[Seated, ...]
    hosts: tuple[HostLoad, ...]
    storages: tuple[StorageLoad, ...]

    @property
    def fit(self) -> bool:
        """Whether no host and no storage is asked for more than it has."""
        return not any(map(lacks, self.hosts)) and not any(map(too_small, self.storages))


class Seating:
    """What has to be placed, and where; at least one host must take guests."""

    def __init__(
        self,
        site: Site,
        hosts: Sequence[HostSpec],
        roster: Roster,
        instructor: NodeSpec | None,
    ) -> None:
        self._site = site
        self._hosts = hosts
        self._roster = roster
        self._instructor = instructor
        self._wheel = wheel([host.share for host in hosts], roster.base_size)

    def seat(self, count: int) -> Seats:
        """Place the first `count` clusters of the roster."""
        clusters = self._roster.clusters[:count]
        placement = place(self._hosts, clusters, self._instructor, self._wheel)
        nodes = tuple(seated(placement, clusters, self._instructor))
        return Seats(
            placement, nodes, host_loads(self._hosts, nodes), storage_loads(self._site, nodes)
        )

    def most_that_fit(self) -> int:
        """The largest `clusters.count` that fits, found by halving; 0 if not even one does."""
        fits, too_many = 0, len(self._roster.clusters)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self.seat(middle).fit:
                fits = middle
            else:
                too_many = middle
        return self._roster.clusters[fits - 1].number if fits else 0
