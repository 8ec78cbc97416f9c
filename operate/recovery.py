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
from typing import Any

from operate.adoption import ADOPTABLE, with_ours
from operate.api import Api
from operate.deployed import NOTHING, Deployed
from operate.drift import doubts
from operate.event_log import GUEST_TYPES, spoken, urn_name
from operate.leftovers import Leftover, delete, find_leftover, find_unfinished
from operate.preflight import few
from operate.progress import Tally
from operate.reading import read_again
from operate.session import Session
from operate.summary import end_lines
from operate.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What has to be done before a run; nothing, mostly."""

    leftovers: tuple[Leftover, ...] = ()
    ours: tuple[Leftover, ...] = ()  # complete, and unknown to the state: to be taken over
    notes: int = 0  # unfinished operations that the state has noted
    stale: tuple[str, ...] = ()  # URNs of resources that the state is wrong about
    lost: bool = False  # the event's pool is gone: the state may be wrong about everything
    lines: tuple[str, ...] = field(default=())

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.leftovers or self.ours or self.notes or self.stale or self.lost)


def begun_vmids(state: Deployed | None) -> frozenset[int]:
    """VMIDs of guests that a cut-off run had begun to make."""
    if state is None:
        return frozenset()
    return frozenset(
        int(each.inputs.get("vmId") or 0) for each in state.pending if each.type in GUEST_TYPES
    )


def plan_repair(
    state: Deployed | None,
    seen: Seen,
    stack: str,
    api: Api,
    *,
    lost: Sequence[Leftover] = (),
    ours: Sequence[Leftover] = (),
) -> Repair:
    """Look up what is half-made and what the state is wrong about. Changes nothing.

    Of `lost` and `ours` the state knows nothing: half-made objects whose answers were lost, and
    complete ones.
    """
    kept = [each for each in ours if each.type in ADOPTABLE]
    others = [each for each in ours if each.type not in ADOPTABLE]
    state = state or NOTHING
    found = [find_leftover(each, state, seen, stack, api) for each in state.pending]
    found += [find_unfinished(each, seen, stack, api) for each in state.broken]
    half_made = {each.path: each for each in (*found, *lost, *others) if each}
    for each in kept:
        half_made.pop(each.path, None)
    leftovers = tuple(half_made.values())
    no_pool = bool(state.pools - seen.pools)
    wrong = _doubts(state, seen, {each.name for each in leftovers})
    touched = [each.urn for each in state.pending if each.operation != "creating"]
    stale = [*touched, *(urn for urns in wrong.values() for urn in urns)]
    stale += [each.urn for each in state.broken]
    return Repair(
        leftovers=leftovers,
        ours=tuple(kept),
        notes=len(state.pending),
        stale=tuple(dict.fromkeys(stale)),
        lost=no_pool,
        lines=(*_lines(state, leftovers, wrong, no_pool=no_pool), *_taken_over(kept)),
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


def _taken_over(ours: Sequence[Leftover]) -> Iterator[str]:
    guests = [each.name for each in ours if each.guest]
    if guests:
        yield f"at the site with our mark, and unknown to the state; taken over: {few(guests)}"


def carry_out(
    session: Session, repair: Repair, state: Deployed, api: Api, *, verb: str = "up"
) -> None:
    """Delete the leftovers, drop the notes, take over what is ours, read again what is in doubt.

    Raises `RunFailed` when something cannot be read; what is done of `verb` then, nothing, is told.
    """
    for leftover in repair.leftovers:
        delete(leftover, api)
    export = json.loads(json.dumps(state.raw))
    if repair.notes:
        export["deployment"]["pending_operations"] = []
        _put(session, export)
    stale = list(repair.stale)
    if repair.ours:
        stale += with_ours(session, export, repair.ours)
        _put(session, export)
    if stale or repair.lost:
        options = ["--yes", "--skip-preview"]
        for urn in () if repair.lost else stale:
            options += ["--target", urn]
        tally = Tally(wanted=frozenset(guest.logical for guest in state.guests))
        outcome = read_again(session, state, options, "reading what others changed", tally)
        if not outcome.ok:
            outcome.verb = verb
            tally.done.clear()
            session.telling.summary(end_lines(outcome), outcome.record())
        outcome.stop_if_failed()


def _put(session: Session, export: dict[str, Any]) -> None:
    """Put a state in place of the one that is there; it may hold secrets, so it goes by stdin."""
    session.engine.told("stack", "import", "--stack", session.stack.name, stdin=json.dumps(export))
