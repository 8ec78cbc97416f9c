"""Node groups with all defaults filled in, and what may be wrong with them.

A group's nodes have the indexes from its first number on; groups of one cluster share none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from event.model import ClusterOverride, Event, NodeGroup, NodeGroupOverride
from event.names import HEAD, node_names
from event.problems import Path, quoted
from plan.findings import Scope
from plan.hosts import HostSpec
from plan.images import ImageSpec
from plan.numbers import LAST_INDEX
from plan.records import CloneMode

KNOWN_FIRST_NUMBERS = {"head": 1, "compute": 11, "storage": 61}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """A node group of one cluster."""

    name: str
    count: int
    first_number: int  # 0 if it is not known
    image: ImageSpec
    cores: int
    memory_mib: int
    disk_gib: int
    exposed: bool
    clone: CloneMode
    pin: int | None  # position of a host
    own: bool  # whether it is written where the checked groups are

    @property
    def last_number(self) -> int:
        """Index of the last node."""
        return self.first_number + self.count - 1

    @property
    def span(self) -> str:
        """The indexes in words."""
        return f"numbers {self.first_number} to {self.last_number}"


class GroupReader:
    """Turns written groups into `GroupSpec`s; problems go to its scope.

    The reader of stack files has made sure that every image and host named is the site's.
    """

    def __init__(
        self, images: Mapping[str, ImageSpec], hosts: Mapping[str, HostSpec], scope: Scope
    ) -> None:
        self._images = images
        self._hosts = hosts
        self._scope = scope

    def base(self, event: Event) -> list[GroupSpec]:
        """The groups that every cluster has, in the order of their first numbers.

        The order in which they are written says nothing: the engine sorts the keys of objects.
        """
        path: Path = ("event", "nodeGroups")
        every_field = frozenset(NodeGroup.model_fields)
        groups = [
            self._group(name, group, (*path, name), every_field)
            for name, group in event.node_groups.items()
        ]
        groups.sort(key=lambda group: (group.first_number, group.name))
        if HEAD not in event.node_groups:
            self._scope.problem(
                path, "there is no group named head", hint="write head: {image: …, exposed: true}"
            )
        self._check_together(groups, path)
        return groups

    def overridden(self, event: Event, override: ClusterOverride, path: Path) -> list[GroupSpec]:
        """The groups of a cluster with an override: the event's in their order, then added ones
        by first number.

        Only what the override itself says is checked: the event's groups have been already.
        """
        groups = []
        for name in _in_order(event, override):
            base, own = event.node_groups.get(name), override.node_groups.get(name)
            fields = _given(own) if own else {}
            if base is None:
                base = NodeGroup(image=str(fields["image"]))
            group = base.model_copy(update=fields) if fields else base
            groups.append(self._group(name, group, (*path, name), frozenset(fields)))
        self._check_together(groups, path)
        return groups

    def image(self, name: str) -> ImageSpec:
        """The image of that name."""
        return self._images[name]

    def pin(self, name: str, path: Path, *, report: bool = True) -> int | None:
        """Position of the host that guests are pinned to; None if none can be on it."""
        host = self._hosts[name]
        if not host.drain:
            return host.position
        if report:
            others = [other.name for other in self._hosts.values() if not other.drain]
            self._scope.problem(
                path, "is drained, so no guest can be pinned to it", found=quoted(name),
                hint=f"write another host, e.g. {others[0]}, or take the pin out" if others
                else "take the pin out",
            )  # fmt: skip
        return None

    def disk(
        self, written: int | None, image: ImageSpec, path: Path, *, report: bool = True
    ) -> int:
        """Size of a node's disk in GiB: as written, else the image's; never below it."""
        if report and written is not None and written < image.disk_gib:
            self._scope.problem(
                path, f"is smaller than the disk of {image.name}", found=str(written),
                hint=f"write {image.disk_gib} or more",
            )  # fmt: skip
        return written or image.disk_gib

    def _group(self, name: str, group: NodeGroup, path: Path, given: frozenset[str]) -> GroupSpec:
        """The group with its defaults; `given` are the fields that are written at `path`."""
        image = self.image(group.image)
        sized = bool(given & {"image", "disk_gib"})
        return GroupSpec(
            name=name,
            count=group.count,
            first_number=group.first_number or KNOWN_FIRST_NUMBERS.get(name, 0),
            image=image,
            cores=group.cores,
            memory_mib=group.memory_mib,
            disk_gib=self.disk(group.disk_gib, image, (*path, "diskGib"), report=sized),
            exposed=group.exposed,
            clone=group.clone or image.clone,
            pin=(
                self.pin(group.host, (*path, "host"), report="host" in given)
                if group.host
                else None
            ),
            own=bool(given),
        )

    def _check_together(self, groups: Sequence[GroupSpec], path: Path) -> None:
        """Numbers and names that the groups of one cluster may not share."""
        for group in groups:
            if group.own and group.name == HEAD:
                self._check_head(group, (*path, HEAD))
            elif group.own and group.count:
                self._check_numbers(group, groups, (*path, group.name))
        seen: dict[str, GroupSpec] = {}
        for group in groups:
            for node in node_names(group.name, group.count):
                other = seen.setdefault(node, group)
                if other is not group and (group.own or other.own):
                    self._scope.problem(
                        (*path, group.name), f"its node {node} has the name of a node of "
                        f"{other.name}", hint="give the group another name",
                    )  # fmt: skip
                    break

    def _check_head(self, head: GroupSpec, path: Path) -> None:
        if head.count != 1:
            self._scope.problem(
                (*path, "count"), "is not allowed: every cluster has one head",
                found=str(head.count), hint="write 1",
            )  # fmt: skip
        if not head.exposed:
            self._scope.problem(
                (*path, "exposed"), "the head is not on the exposed network, so nobody could "
                "reach the cluster", hint="write exposed: true",
            )  # fmt: skip
        if head.first_number != KNOWN_FIRST_NUMBERS[HEAD]:
            self._scope.problem(
                (*path, "firstNumber"), "is not allowed: the head is node 1 of its cluster",
                found=str(head.first_number), hint="write 1, or take it out",
            )  # fmt: skip

    def _check_numbers(self, group: GroupSpec, groups: Sequence[GroupSpec], path: Path) -> None:
        others = [other for other in groups if other.name != group.name and other.first_number]
        free = _first_number_hint(group.count, others)
        if not group.first_number:
            self._scope.problem(
                path, "the number of the group's first node is needed (known for head, compute "
                "and storage)", hint=free,
            )  # fmt: skip
            return
        where = (*path, "firstNumber")
        if group.last_number > LAST_INDEX:
            self._scope.problem(
                where, f"{group.span} of {group.name} end beyond {LAST_INDEX}", hint=free
            )
        for other in others:
            later = groups.index(group) > groups.index(other)
            if _collide(group, other) and (later or not other.own):
                self._scope.problem(
                    where, f"{group.span} of {group.name} collide with {other.span} of "
                    f"{other.name}", hint=free,
                )  # fmt: skip


def _in_order(event: Event, override: ClusterOverride) -> list[str]:
    """Names of the groups of a cluster: the event's by first number, then the added ones."""

    def rank(name: str) -> tuple[bool, int, str]:
        group = event.node_groups.get(name) or override.node_groups[name]
        number = group.first_number or KNOWN_FIRST_NUMBERS.get(name, 0)
        return (name not in event.node_groups, number, name)

    return sorted({*event.node_groups, *override.node_groups}, key=rank)


def _given(override: NodeGroupOverride) -> dict[str, object]:
    """What an override of a group says."""
    return {
        name: value
        for name in NodeGroupOverride.model_fields
        if (value := getattr(override, name)) is not None
    }


def _collide(group: GroupSpec, other: GroupSpec) -> bool:
    return (
        other.count > 0
        and group.first_number <= other.last_number
        and other.first_number <= group.last_number
    )


def _first_number_hint(count: int, others: Sequence[GroupSpec]) -> str:
    """What to type so that the group's nodes have numbers of their own."""
    taken = {
        number for other in others for number in range(other.first_number, other.last_number + 1)
    }
    starts = [*range(21, LAST_INDEX, 10), *range(2, LAST_INDEX + 1)]
    for start in starts:
        wanted = range(start, start + count)
        if wanted[-1] <= LAST_INDEX and taken.isdisjoint(wanted):
            return f"write firstNumber: {start}"
    return "make the groups smaller"
