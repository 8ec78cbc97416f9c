"""After a run that was cut off: what it left half-made is cleared before the next one.

The engine notes each operation before it starts. One that was cut off stays noted, and nobody
knows whether the object is there; making it again would fail. So each noted object is looked up by
its id and our mark: half-made guests and groups of ours are deleted, then the notes are dropped.
A guest whose creation failed halfway and that is still off has never been anybody's: it is deleted
too. Other resources whose last operation failed halfway, and guests that others have changed, are
read again before the run, since the state is wrong about them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from operate.api import Api
from operate.deployed import Deployed
from operate.drift import doubts
from operate.event_log import GUEST_TYPES, spoken, urn_name
from operate.leftovers import Leftover, delete, find_leftover, find_unfinished
from operate.preflight import few
from operate.progress import Tally
from operate.run import engine_run
from operate.session import Session
from operate.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What has to be done before a run; nothing, mostly."""

    leftovers: tuple[Leftover, ...] = ()
    notes: int = 0  # unfinished operations that the state has noted
    stale: tuple[str, ...] = ()  # URNs of resources that the state is wrong about
    lost: bool = False  # the event's pool is gone: the state may be wrong about everything
    lines: tuple[str, ...] = field(default=())

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.leftovers or self.notes or self.stale or self.lost)


def begun_vmids(state: Deployed | None) -> frozenset[int]:
    """VMIDs of guests that a cut-off run had begun to make."""
    if state is None:
        return frozenset()
    return frozenset(
        int(each.inputs.get("vmId") or 0) for each in state.pending if each.type in GUEST_TYPES
    )


def plan_repair(
    state: Deployed | None, seen: Seen, stack: str, api: Api, *, lost: Sequence[Leftover] = ()
) -> Repair:
    """Look up what is half-made and what the state is wrong about. Changes nothing.

    `lost` are objects of which the state knows nothing, because their answers were lost.
    """
    if state is None:
        return Repair()
    found = [find_leftover(each, state, seen, stack, api) for each in state.pending]
    found += [find_unfinished(each, seen, stack, api) for each in state.broken]
    leftovers = (*(each for each in found if each), *lost)
    no_pool = bool(state.pools - seen.pools)
    wrong = _doubts(state, seen, {each.name for each in leftovers})
    touched = [each.urn for each in state.pending if each.operation != "creating"]
    stale = [*touched, *(urn for urns in wrong.values() for urn in urns)]
    stale += [each.urn for each in state.broken]
    return Repair(
        leftovers=leftovers,
        notes=len(state.pending),
        stale=tuple(dict.fromkeys(stale)),
        lost=no_pool,
        lines=tuple(_lines(state, leftovers, wrong, no_pool=no_pool)),
    )


def _doubts(state: Deployed, seen: Seen, half_made: set[str]) -> dict[str, list[str]]:
    """URNs of what the state is wrong about, by what is the matter with it."""
    found = doubts(state, seen) | {"half-changed": [each.urn for each in state.broken]}
    kept = {
        word: [urn for urn in urns if urn_name(urn) not in half_made]
        for word, urns in found.items()
    }
    return {word: urns for word, urns in kept.items() if urns}


def _lines(
    state: Deployed, leftovers: tuple[Leftover, ...], wrong: dict[str, list[str]], *, no_pool: bool
) -> Iterator[str]:
    """What is the matter, for the person."""
    if state.pending:
        names = few([each.name for each in state.pending])
        yield f"the last run was cut off with {names} in work"
    if leftovers:
        yield f"half-made, deleted and made again: {few([each.name for each in leftovers])}"
    for word, urns in wrong.items():
        yield f"{word} at the site: {few([spoken(urn) for urn in urns])}"
    if no_pool:
        yield "the event's pool is gone at the site: everything of it is looked at again"


def carry_out(session: Session, repair: Repair, state: Deployed, api: Api) -> None:
    """Delete the leftovers, drop the notes, and read again what the state is wrong about."""
    for leftover in repair.leftovers:
        delete(leftover, api)
    if repair.notes:
        export = json.loads(json.dumps(state.raw))
        export["deployment"]["pending_operations"] = []
        session.engine.told(
            "stack", "import", "--stack", session.stack.name, stdin=json.dumps(export)
        )
    if repair.stale or repair.lost:
        options = ["--yes", "--skip-preview"]
        for urn in () if repair.lost else repair.stale:
            options += ["--target", urn]
        outcome = engine_run(session, "refresh", options, "reading what others changed", Tally())
        outcome.stop_if_failed()
