"""Node groups with all defaults filled in, and what may be wrong with them.

A group's nodes have the indexes from its first number on; groups of one cluster share none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from event.model import ClusterOverride, Event, NodeGroup, NodeGroupOverride
from event.names import HEAD, node_names
from event.problems import Path, known_names, quoted
from plan.findings import Findings, Scope
from plan.hosts import HostSpec
from plan.images import ImageSpec
from plan.numbers import LAST_INDEX
from plan.records import CloneMode

KNOWN_FIRST_NUMBERS = {"head": 1, "compute": 11, "storage": 61}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """A node group of one cluster. `image` is None after a problem with it."""

    name: str
    count: int
    first_number: int  # 0 if it is not known
    image: ImageSpec | None
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


class GroupReader:
    """Turns written groups into `GroupSpec`s; problems go to its scope."""

    def __init__(
        self, images: Mapping[str, ImageSpec], hosts: Mapping[str, HostSpec], scope: Scope
    ) -> None:
        self._images = images
        self._hosts = hosts
        self._scope = scope

    def base(self, event: Event) -> list[GroupSpec]:
        """The groups that every cluster has, in the order in which they are written."""
        path: Path = ("event", "nodeGroups")
        every_field = frozenset(NodeGroup.model_fields)
        groups = [
            self._group(name, group, (*path, name), every_field)
            for name, group in event.node_groups.items()
        ]
        if HEAD not in event.node_groups:
            self._scope.problem(
                path, "there is no group named head", hint="write head: {image: …, exposed: true}"
            )
        self._check_together(groups, path)
        return groups

    def overridden(self, event: Event, override: ClusterOverride, path: Path) -> list[GroupSpec]:
        """The groups of a cluster with an override: the event's in their order, then added ones.

        Only what the override itself says is checked: the event's groups have been already.
        """
        groups = []
        for name in dict.fromkeys([*event.node_groups, *override.node_groups]):
            base, own = event.node_groups.get(name), override.node_groups.get(name)
            fields = _given(own) if own else {}
            if base is not None:
                group = base.model_copy(update=fields)
            elif "image" in fields:
                group = NodeGroup(image=str(fields["image"])).model_copy(update=fields)
            else:
                self._scope.problem(
                    (*path, name), f"the event has no group {name}, so its image is needed",
                    hint="write image: …",
                )  # fmt: skip
                continue
            groups.append(self._group(name, group, (*path, name), frozenset(fields)))
        self._check_together(groups, path)
        return groups

    def pin(self, host: str, path: Path) -> int | None:
        """Position of a host that guests are pinned to; None after a problem."""
        spec = self._hosts.get(host)
        if spec is None:
            self._scope.problem(
                path, "is no host of the site", found=quoted(host),
                hint=known_names(host, self._hosts),
            )  # fmt: skip
            return None
        if spec.drain:
            others = [other.name for other in self._hosts.values() if not other.drain]
            self._scope.problem(
                path, "is drained, so no guest can be pinned to it", found=quoted(host),
                hint=f"write another host, e.g. {others[0]}, or take the pin out" if others
                else "take the pin out",
            )  # fmt: skip
            return None
        return spec.position

    def image(self, name: str, path: Path) -> ImageSpec | None:
        """The image of that name; None after a problem."""
        image = self._images.get(name)
        if image is None:
            self._scope.problem(
                path, "is no image of the site", found=quoted(name),
                hint=known_names(name, self._images),
            )  # fmt: skip
        return image

    def disk(self, written: int | None, image: ImageSpec | None, path: Path) -> int:
        """Size of a node's disk in GiB: as written, else the image's; never below it."""
        if image is None:
            return written or 1
        if written is not None and written < image.disk_gib:
            self._scope.problem(
                path, f"is smaller than the disk of {image.name}", found=str(written),
                hint=f"write {image.disk_gib} or more",
            )  # fmt: skip
        return written or image.disk_gib

    def _group(self, name: str, group: NodeGroup, path: Path, given: frozenset[str]) -> GroupSpec:
        silent = GroupReader(self._images, self._hosts, Findings().scope(lambda _: None))
        image_reader = self if "image" in given else silent
        disk_reader = self if {"image", "disk_gib"} & given else silent
        pin_reader = self if "host" in given else silent
        image = image_reader.image(group.image, (*path, "image"))
        first = group.first_number or KNOWN_FIRST_NUMBERS.get(name, 0)
        return GroupSpec(
            name=name,
            count=group.count,
            first_number=first,
            image=image,
            cores=group.cores,
            memory_mib=group.memory_mib,
            disk_gib=disk_reader.disk(group.disk_gib, image, (*path, "diskGib")),
            exposed=group.exposed,
            clone=group.clone or (image.clone if image else "linked"),
            pin=pin_reader.pin(group.host, (*path, "host")) if group.host else None,
            own=bool(given),
        )

    def _check_together(self, groups: Sequence[GroupSpec], path: Path) -> None:
        """Numbers and names that the groups of one cluster may not share."""
        for group in groups:
            if group.own:
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

    def _check_numbers(self, group: GroupSpec, groups: Sequence[GroupSpec], path: Path) -> None:
        if group.name == HEAD and group.count != 1:
            self._scope.problem(
                (*path, "count"), "is not allowed: every cluster has one head",
                found=str(group.count), hint="write 1",
            )  # fmt: skip
            return
        if group.count == 0:
            return
        others = [other for other in groups if other.name != group.name and other.first_number]
        free = _first_number_hint(group.count, others)
        if not group.first_number:
            self._scope.problem(
                path, "the number of the group's first node is needed (known for head, compute "
                "and storage)", hint=free,
            )  # fmt: skip
            return
        where = (*path, "firstNumber")
        span = f"nodes {group.first_number} to {group.last_number}"
        if group.last_number > LAST_INDEX:
            self._scope.problem(where, f"{span} of {group.name} end beyond {LAST_INDEX}", hint=free)
        for other in others:
            if _collide(group, other) and not (other.own and _before(other, group, groups)):
                self._scope.problem(
                    where, f"{span} of {group.name} collide with nodes {other.first_number} to "
                    f"{other.last_number} of {other.name}", hint=free,
                )  # fmt: skip


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


def _before(group: GroupSpec, other: GroupSpec, groups: Sequence[GroupSpec]) -> bool:
    return groups.index(group) > groups.index(other)


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
