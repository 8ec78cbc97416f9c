"""Disks that somebody has made larger than planned: the plan takes the larger size.

A disk cannot shrink, so a plan with the written size could not be built any more. The command line
sees such disks, and hands their sizes to the program in a variable of the engine. So that an edit
of the stack file can be told from somebody's hand, each run leaves the written sizes in the stack's
outputs: a disk above what was last written is theirs, one above what is written now an edit.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from plan.records import EventPlan, Guest

VARIABLE = "PRACTICUM_KEPT_DISKS"
"""Variable of the engine: sizes in GiB by guest, as a JSON object."""

OTHERS = "*"
"""Stands for all guests that are not named."""


def as_text(kept: Mapping[str, int]) -> str:
    """The variable's value; empty for no disks."""
    return json.dumps(dict(kept)) if kept else ""


def from_text(text: str) -> dict[str, int]:
    """Sizes by guest in the variable's value."""
    return {str(name): int(size) for name, size in json.loads(text or "{}").items()}


def with_kept_disks(plan: EventPlan, kept: Mapping[str, int]) -> EventPlan:
    """The plan with larger disks; sizes below the planned ones count for nothing."""
    if not kept:
        return plan

    def guest(planned: Guest) -> Guest:
        return replace(planned, disk_gib=max(planned.disk_gib, kept.get(planned.name, 0)))

    return replace(
        plan,
        instructor=guest(plan.instructor) if plan.instructor else None,
        clusters=tuple(
            replace(cluster, guests=tuple(map(guest, cluster.guests))) for cluster in plan.clusters
        ),
    )


def written_disks(guests: Iterable[Guest]) -> dict[str, int]:
    """Planned sizes in GiB by guest, the commonest under `*`."""
    sizes = {guest.name: guest.disk_gib for guest in guests}
    if not sizes:
        return {}
    ((most, _),) = Counter(sizes.values()).most_common(1)
    return {OTHERS: most} | {name: size for name, size in sizes.items() if size != most}
