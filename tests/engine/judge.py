"""Puts an event under a fault and asks the oracle: after the broken run, the next and a third."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.engine import by_hand
from tests.engine.entries import entries
from tests.engine.oracle import checks
from tests.engine.oracle.database import Rows
from tests.engine.practice import Run
from tests.engine.snapshots import Ground
from tests.engine.striking import STARTS, End, Ending, Fault, run_under

CODES = {
    End.DONE: {0},
    End.UNDONE: {1},
    End.REFUSED: {1},
    End.EITHER: {0, 1},
    End.STOPPED: {130},
}


@dataclass(slots=True, kw_only=True)
class Judge:
    """A ground with the snapshots `nothing` and `there`, and the rows of both."""

    ground: Ground
    bare: Rows  # the site without the event
    there: Rows  # after a run that nothing disturbed
    secrets: tuple[str, ...] = field(repr=False)
    settled: set[str] = field(default_factory=set)  # entries of states that a third run left alone

    def under(self, fault: Fault, verb: str) -> list[str]:
        """What is wrong with a verb under a fault and with the runs after it; nothing is good."""
        ground = self.ground
        ground.back_to(fault.start.get(verb, STARTS[verb]))
        ground.at = ""
        broken, before = run_under(ground, fault, verb)
        known = None if fault.of_site else before
        wrong = self._broken(fault.ends[verb], broken, verb)
        wrong += self._struck(fault, verb)
        wrong += self._untouched(known)
        if verb == "refresh":
            wrong += checks.nothing_was_written(ground.requests(), "a refresh has written")
            wrong += self._none_is_forgotten()
        if fault.mend is not None:
            fault.mend(ground)
            known = ground.rows()
        wrong += self._next(verb, known, set() if fault.of_site else self.settled)
        if fault.of_site or wrong:
            ground.at = ""
        return wrong

    def _broken(self, ending: Ending, run: Run, verb: str) -> list[str]:
        """How the broken run ended and what it said: I7 and I8."""
        text = told(run)
        wrong = []
        if run.code not in CODES[ending.end]:
            wrong.append(f"{verb} ended with {run.code}: {text}")
        if ending.end is End.REFUSED:
            wrong += checks.nothing_was_written(self.ground.requests())
        if ending.says and not re.search(ending.says, text):
            wrong.append(f"{verb} does not say {ending.says!r}: {text}")
        if run.code == 0:
            return wrong
        if ending.end is not End.STOPPED:
            wrong += checks.error_helps(run.code, text)
        if any(each["event"] == "summary" for each in run.events):
            wrong += checks.list_is_whole(run.summary, verb)
        elif ending.end in (End.UNDONE, End.STOPPED):
            wrong.append(f"{verb} has told no list of what is done: {text}")
        return wrong

    def _none_is_forgotten(self) -> list[str]:
        """A guest that could not be read is still in the state."""
        known = checks.guests_of_state(self.ground.state)
        there = {vmid for vmid, _ in self.ground.event.guests(self.ground.rows())}
        return [f"I2: the refresh has forgotten guest {vmid}" for vmid in sorted(there - known)]

    def _struck(self, fault: Fault, verb: str) -> list[str]:
        """Whether the fault has struck at all: else the case says nothing."""
        if fault.ends[verb].end is End.DONE:
            return []
        counted = [each for each in self.ground.were if "path" in each or "task" in each]
        return [f"the fault has not struck: {each}" for each in counted if not each["fired"]]

    def _untouched(self, before: Rows | None) -> list[str]:
        """What others have: byte for byte, or for None as whole as before the event."""
        event, rows = self.ground.event, self.ground.rows()
        return [
            *(
                checks.site_is_whole(event, self.bare, rows)
                if before is None
                else checks.foreign_are_untouched(event, before, rows)
            ),
            *checks.numbers_are_unique(rows),
            *checks.secrets_stay_hidden(self.secrets, self.ground.texts()),
        ]

    def _next(self, verb: str, before: Rows | None, settled: set[str]) -> list[str]:
        """The next run finishes; what it leaves is what an unbroken run leaves."""
        ground = self.ground
        run = ground.undisturbed(verb)
        wrong = [] if run.code == 0 else [f"the next {verb} ended with {run.code}: {told(run)}"]
        if verb == "destroy":
            wrong += checks.state_is_sound(ground.state, finished=True)
            wrong += checks.nothing_is_left(ground.event, self.bare, ground.rows())
            wrong += checks.secrets_stay_hidden(self.secrets, ground.texts())
            ground.at = "nothing"
            return wrong
        if verb == "refresh":
            wrong += checks.state_is_sound(ground.state, finished=True)
            run = ground.undisturbed("up")
            wrong += [] if run.code == 0 else [f"the next up ended with {run.code}: {told(run)}"]
        wrong += self._whole(before)
        wrong += self._third(settled)
        ground.at = "there"
        return wrong

    def _whole(self, before: Rows | None) -> list[str]:
        """The event is as an unbroken run leaves it: I1, I2, I3, I5, I6."""
        ground, rows = self.ground, self.ground.rows()
        return [
            *checks.state_is_sound(ground.state, finished=True),
            *checks.all_are_known(ground.event, rows, ground.state),
            *checks.same_end(ground.event, self.there, rows),
            *self._untouched(before),
        ]

    def _third(self, settled: set[str]) -> list[str]:
        """The third run sends no write, and changes nothing: I3. Settled entries need none."""
        ground = self.ground
        found = entries(json.loads(ground.state.read_text())["checkpoint"]["latest"])
        if found <= settled:
            return []
        rows = ground.rows()
        ground.mark()
        run = ground.undisturbed("up")
        wrong = [] if run.code == 0 else [f"the third up ended with {run.code}: {told(run)}"]
        wrong += checks.nothing_was_written(ground.requests(), "I3, third run")
        wrong += checks.differences("I3, third run", rows, ground.rows())
        if not wrong:
            settled |= found
        return wrong


def told(run: Run) -> str:
    """All that a run has said."""
    ends = [
        json.dumps(each, ensure_ascii=False) for each in run.events if each["event"] == "summary"
    ]
    return "\n".join([run.texts, run.errors, *ends])


def sitting(ground: Ground) -> Iterator[Judge]:
    """A judge over an event that an undisturbed run has made, and its end."""
    try:
        ground.good("up", stack="lab")
        ground.quicken()
        by_hand.neighbours(ground)
        before = ground.rows()
        ground.good("up")
        ground.keep("there")
        there = ground.rows()
        ground.good("destroy")
        ground.keep("nothing")
        bare = ground.rows()
        assert checks.nothing_is_left(ground.event, before, bare) == []
        yield Judge(ground=ground, bare=bare, there=there, secrets=_secrets(ground))
    finally:
        ground.close()


def _secrets(ground: Ground) -> tuple[str, ...]:
    """What must be in no output: token, passphrase, passwords of the event."""
    practice = ground.practice
    shown = practice.call("access", str(practice.file(ground.stack)), "--json").stdout
    token = (ground.lab / "token").read_text().strip().partition("=")[2]
    passphrase = (practice.state / "passphrase").read_text().strip()
    return (token, passphrase, *sorted({each["password"] for each in json.loads(shown)}))
