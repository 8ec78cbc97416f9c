"""One run of the engine, told while it goes on, and how it ended."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from event.problems import RunError
from operate.engine import Finished
from operate.engine_errors import NO_QUORUM, explain_log, is_hopeless
from operate.event_log import Event, Summary
from operate.progress import Tally
from operate.session import Session

LEAST_FREE = 64 * 1024
"""Bytes below which a run that broke off is laid to a full disk."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The end of a run."""

    session: Session
    verb: str
    finished: Finished
    tally: Tally
    summary: Summary | None

    @property
    def ok(self) -> bool:
        """Whether all that was wanted is done."""
        return self.finished.ok and not (self.tally.failed or self.tally.general_errors)

    @property
    def undone(self) -> list[str]:
        """Guests that the run was about and that are not as wanted."""
        return sorted((self.tally.wanted or frozenset()) - self.tally.done)

    @property
    def next_command(self) -> str:
        """What to type to go on; empty after a run that went well."""
        if self.ok:
            return ""
        return f"./practicum {self.verb} {self.session.typed}"

    def record(self) -> dict[str, Any]:
        """For programs: the fields of the JSON event `summary`."""
        return {
            "stack": self.session.stack.name,
            "verb": self.verb,
            "result": "interrupted"
            if self.finished.interrupted
            else "succeeded"
            if self.ok
            else "failed",
            "changes": self.summary.changes if self.summary else {},
            "seconds": round(self.finished.seconds, 1),
            "done": self.tally.ready,
            "total": self.tally.total,
            "failed": self.tally.failed,
            "undone": self.undone,
            "errors": self.tally.general_errors,
            "log": str(self.finished.log),
            "next": self.next_command,
        }

    def stop_if_failed(self) -> None:
        """Raise `RunFailed`, once everything has been told."""
        if not self.ok:
            raise RunFailed(self)


class RunFailed(RunError):  # noqa: N818 - a result, whose story has been told already
    """A run did not do all that was wanted. The command line prints nothing more."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(_reason(outcome))
        self.exit_code = 130 if outcome.finished.interrupted else 1


def engine_run(
    session: Session,
    verb: str,
    options: Sequence[str],
    title: str,
    tally: Tally,
) -> Outcome:
    """Run a verb of the engine on the session's stack and tell it meanwhile."""
    summary: Summary | None = None

    def take(event: Event) -> None:
        nonlocal summary
        tally.take(event)
        if isinstance(event, Summary):
            summary = event
        session.telling.event(event, tally)

    with session.telling.run(title, tally):
        finished = session.engine.follow(
            verb,
            options,
            take,
            on_interrupt=session.telling.interrupted,
            hopeless=lambda: any(map(is_hopeless, tally.failed.values())),
        )
    if any(map(is_hopeless, tally.failed.values())):
        tally.general_errors.insert(0, NO_QUORUM)
    if not (finished.interrupted or tally.failed or tally.general_errors):
        tally.general_errors += _unsaid(finished, summary, session.stack.name)
    return Outcome(
        session=session,
        verb=verb,
        finished=finished,
        tally=tally,
        summary=summary,
    )


def _unsaid(finished: Finished, summary: Summary | None, stack: str) -> list[str]:
    """What no event has told: the engine was killed, gave up, or could not write its log."""
    if finished.code == 0 and summary is not None:
        return []
    if shutil.disk_usage(finished.log.parent).free < LEAST_FREE:
        return [f"no disk space is left below {finished.log.parent}; free some"]
    if finished.code == 0:
        return ["the engine's event log is incomplete, so nobody knows what was done"]
    if finished.code < 0:
        return [f"the engine was killed (signal {-finished.code})"]
    return [explain_log(finished.log.read_text(), stack)]


def _reason(outcome: Outcome) -> str:
    if outcome.finished.interrupted:
        return f"{outcome.verb} {outcome.session.stack.name} was interrupted"
    errors = [*outcome.tally.general_errors, *outcome.tally.failed.values()]
    return errors[0] if errors else f"{outcome.verb} {outcome.session.stack.name} failed"
