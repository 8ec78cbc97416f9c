"""A status daemon that is slow: lists of the cluster tell of guests as its last round saw them.

A guest that is newer than the round is `unknown` and has no name; pool, tags and lock are not the
daemon's to tell and are always those of now. Seen on a real cluster, whose rounds take 10 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.faults.rule import Rule

Row = dict[str, Any]
_OF_NOW = ("pool", "tags", "lock")
_SEEN = "last round"  # in the lab's cache: (number of the round, rows of all guests by id)


async def rounds(lab: Lab, rule: Rule, guest_rows: Callable[[Lab], list[Row]]) -> None:
    """Look at all guests once a round, for as long as the fault lasts."""
    number = 0
    try:
        while rule.active_until_cleared:
            number += 1
            lab.cache[_SEEN] = (number, {row["id"]: row for row in guest_rows(lab)})
            await asyncio.sleep(max(lab.limits.scaled(lab.limits.status_round_s), 0.001))
    finally:
        lab.cache.pop(_SEEN, None)


def stamp(lab: Lab) -> tuple[int, int]:
    """What lists of the cluster depend on beside its objects: faults, and the daemon's round."""
    seen = lab.cache.get(_SEEN)
    return lab.faults.changes, seen[0] if seen else 0


def as_of_last_round(lab: Lab, rows: list[Row]) -> list[Row]:
    """The rows of all guests as the daemon saw them; as they are while it is not slow."""
    seen = lab.cache.get(_SEEN)
    if seen is None:
        return rows
    found = [_aged(row, seen[1].get(row["id"])) for row in rows]
    if found != rows and (rule := lab.faults.state("slow-pvestatd")):
        rule.fired += 1
    return found


def _aged(row: Row, before: Row | None) -> Row:
    if before is None:
        before = {key: row[key] for key in ("id", "node", "type", "vmid")} | {"status": "unknown"}
    kept = {key: value for key, value in before.items() if key not in _OF_NOW}
    return kept | {key: row[key] for key in _OF_NOW if key in row}
