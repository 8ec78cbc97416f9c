"""Capacity: what the guests need of each host and storage, against what it has.

What a host has is what may be promised: its hardware times the site's overcommit. Disks on a
storage that all hosts share count there, and not against any host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from event.model import Site
from plan.hosts import HostSpec
from plan.loads import HostLoad, Load, StorageLoad, Totals
from plan.placement import Placement
from plan.roster import ClusterSpec, NodeSpec

_DIGITS = 3  # of sums of decimal fractions, so that they read as they were meant
ROUNDING = 1e-6  # below one MiB or core; sums of fractions are not exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """A node with its host, as one row of the sums."""

    cluster: int | None  # place in the roster; None for the instructors' node
    node: NodeSpec
    host: int


def seated(
    placement: Placement, clusters: Sequence[ClusterSpec], instructor: NodeSpec | None
) -> Iterator[Seated]:
    """All nodes with their hosts, the instructors' node first."""
    if instructor is not None and placement.instructor is not None:
        yield Seated(cluster=None, node=instructor, host=placement.instructor)
    for position, (cluster, places) in enumerate(zip(clusters, placement.places, strict=True)):
        for node, host in zip(cluster.nodes, places, strict=True):
            yield Seated(cluster=position, node=node, host=host)


def host_loads(hosts: Sequence[HostSpec], nodes: Sequence[Seated]) -> tuple[HostLoad, ...]:
    """Need against have of every declared host, drained ones included."""
    count = [0] * len(hosts)
    cores, memory, disk = [0] * len(hosts), [0] * len(hosts), [0] * len(hosts)
    for each in nodes:
        count[each.host] += 1
        cores[each.host] += each.node.cores
        memory[each.host] += each.node.memory_mib
        disk[each.host] += each.node.local_gib
    return tuple(
        HostLoad(
            name=host.name,
            drain=host.drain,
            guests=count[i],
            cores=_load(cores[i], host.cores),
            memory_mib=_load(memory[i], host.memory_mib),
            disk_gib=_load(disk[i], host.disk_gib),
        )
        for i, host in enumerate(hosts)
    )


def storage_loads(site: Site, nodes: Sequence[Seated]) -> tuple[StorageLoad, ...]:
    """Need against size of the shared storages that guests' disks are on, by name."""
    count: dict[str, int] = {}
    need: dict[str, int] = {}
    for each in nodes:
        image = each.node.image
        if image.shared:
            count[image.storage] = count.get(image.storage, 0) + 1
            need[image.storage] = need.get(image.storage, 0) + each.node.disk_gib
    return tuple(
        StorageLoad(
            name=name,
            guests=count[name],
            need_gib=need[name],
            have_gib=round((size or 0) * site.overcommit.disk, _DIGITS),
        )
        for name in sorted(count)
        for size in (site.storages[name].size_gib,)
    )


def totals(clusters: int, hosts: Sequence[HostLoad], worst_loss: str | None) -> Totals:
    """Demand against capacity of all hosts that are not drained."""
    working = [host for host in hosts if not host.drain]
    return Totals(
        clusters=clusters,
        guests=sum(host.guests for host in hosts),
        hosts=len(working),
        cores=_sum(host.cores for host in working),
        memory_mib=_sum(host.memory_mib for host in working),
        disk_gib=_sum(host.disk_gib for host in working),
        survives_loss_of_any_host=worst_loss is None,
        worst_loss=worst_loss,
    )


def exceeded(load: Load) -> bool:
    """Whether more is needed than there is."""
    return load.need > load.have + ROUNDING


def lacks(host: HostLoad) -> bool:
    """Whether a host has too little of anything."""
    return exceeded(host.cores) or exceeded(host.memory_mib) or exceeded(host.disk_gib)


def too_small(storage: StorageLoad) -> bool:
    """Whether a shared storage is too small."""
    return storage.need_gib > storage.have_gib + ROUNDING


def _load(need: float, have: float) -> Load:
    return Load(need=round(need, _DIGITS), have=round(have, _DIGITS))


def _sum(loads: Iterable[Load]) -> Load:
    several = list(loads)
    return _load(sum(load.need for load in several), sum(load.have for load in several))
