"""The roster: which clusters there are, and which nodes each of them has.

Node groups of the event, changed by a cluster's override, become nodes with a name, an index (its
number in the cluster: VMID and address end in it) and a seat (its place in the round robin).
Clusters without an override share one tuple of nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from event.model import ClusterOverride, Event
from event.names import cluster_name, node_names
from event.problems import Path
from plan.findings import Scope
from plan.groups import GroupReader, GroupSpec
from plan.images import ImageSpec
from plan.naming import LABEL_LENGTH, guest_name
from plan.records import CloneMode


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of a cluster, before it has a host and addresses."""

    name: str
    index: int
    seat: int
    group: str
    image: ImageSpec
    cores: int
    memory_mib: int
    disk_gib: int
    exposed: bool
    clone: CloneMode
    pin: int | None  # position of the host that it must be on

    @property
    def local_gib(self) -> int:
        """Disk that the node takes of its host's own storage, in GiB."""
        return 0 if self.image.shared else self.disk_gib


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """One cluster, before its nodes have hosts."""

    number: int
    name: str
    title: str
    nodes: tuple[NodeSpec, ...]  # the head first
    override: ClusterOverride | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All clusters by ascending number, and how many nodes one without override has."""

    clusters: tuple[ClusterSpec, ...]
    base_size: int


def call_roster(event: Event, reader: GroupReader, scope: Scope) -> Roster:
    """The roster of an event; what does not work out is written to `scope`.

    After a problem the roster may lack nodes, but never numbers or names others.
    """
    base = reader.base(event)
    retired = frozenset(event.clusters.retire)
    plain = _nodes(base, base)
    clusters = [
        ClusterSpec(
            number=number,
            name=name,
            title=(override.title or "") if override else "",
            nodes=_overridden(event, name, base, reader) if override else plain,
            override=override,
        )
        for number in range(1, event.clusters.count + 1)
        if number not in retired
        for name in (cluster_name(event.clusters.prefix, number),)
        for override in (event.overrides.get(name),)
    ]
    _check_names(clusters, scope)
    return Roster(clusters=tuple(clusters), base_size=max(1, len(plain)))


def _overridden(
    event: Event, name: str, base: Sequence[GroupSpec], reader: GroupReader
) -> tuple[NodeSpec, ...]:
    """Nodes of the cluster `name`, which has an override."""
    override = event.overrides[name]
    path: Path = ("event", "overrides", name)
    groups = reader.overridden(event, override, (*path, "nodeGroups"))
    return _pinned(_nodes(groups, base), override, (*path, "hosts"), reader)


def _nodes(groups: Sequence[GroupSpec], base: Sequence[GroupSpec]) -> tuple[NodeSpec, ...]:
    """Nodes of a cluster, group by group, the head first.

    Seats of the event's own nodes are the same in every cluster; what an override adds comes
    after them, so that it moves none of its cluster's other nodes.
    """
    first_seat: dict[str, tuple[int, int]] = {}
    size = 0
    for group in base:
        first_seat[group.name] = (size, group.count)
        size += group.count
    nodes: list[NodeSpec] = []
    for group in sorted(groups, key=lambda group: group.name != "head"):
        seat, known = first_seat.get(group.name, (0, 0))
        for position, name in enumerate(node_names(group.name, group.count)):
            if position >= known:
                size += 1
            nodes.append(
                NodeSpec(
                    name=name,
                    index=group.first_number + position,
                    seat=seat + position if position < known else size - 1,
                    group=group.name,
                    image=group.image,
                    cores=group.cores,
                    memory_mib=group.memory_mib,
                    disk_gib=group.disk_gib,
                    exposed=group.exposed,
                    clone=group.clone,
                    pin=group.pin,
                )
            )
    return tuple(nodes)


def _pinned(
    nodes: tuple[NodeSpec, ...], override: ClusterOverride, path: Path, reader: GroupReader
) -> tuple[NodeSpec, ...]:
    """The nodes with the pins of single nodes put in."""
    pins = {name: reader.pin(host, (*path, name)) for name, host in override.hosts.items()}
    return tuple(
        replace(node, pin=pins[node.name]) if node.name in pins else node for node in nodes
    )


def _check_names(clusters: Sequence[ClusterSpec], scope: Scope) -> None:
    """Names of guests are labels of at most `LABEL_LENGTH` characters."""
    for cluster in clusters:
        for node in cluster.nodes:
            name = guest_name(cluster.name, node.name)
            if len(name) > LABEL_LENGTH:
                scope.problem(
                    ("event", "nodeGroups", node.group),
                    f"the name of its guest {name} has {len(name)} characters",
                    hint=f"shorten the group's name or clusters.prefix: {LABEL_LENGTH} are allowed",
                )
                return
