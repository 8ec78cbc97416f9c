"""A fault as data: how the lab is told, on which verbs, and how the run that it strikes ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.engine.oracle.database import Rows
from tests.engine.practice import Run
from tests.engine.snapshots import Ground

Settings = Mapping[str, Any]
"""A fault of the lab, as its control socket takes it; `kind` names it.

Only a `vmid` is counted from the first of the event's range.
"""

ByHand = Callable[[Ground], None]
"""What somebody does at the site or on this machine, by plain calls."""


class End(Enum):
    """How a run ends that a fault strikes."""

    DONE = "done"  # the fault is borne
    UNDONE = "undone"  # exit code 1, with a list of what is done and what is not
    REFUSED = "refused"  # exit code 1 before the first write
    EITHER = "either"  # done or undone, as the moment wants it
    STOPPED = "stopped"  # exit code 130, with the same list


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ends, and what it says: a pattern in its texts and errors."""

    end: End
    says: str = ""


def done() -> Ending:
    """The run ends well."""
    return Ending(end=End.DONE)


def undone(says: str = "") -> Ending:
    """The run tells what it has not done."""
    return Ending(end=End.UNDONE, says=says)


def refused(says: str) -> Ending:
    """The run writes nothing and says why."""
    return Ending(end=End.REFUSED, says=says)


def stopped() -> Ending:
    """The run stops where somebody has interrupted it."""
    return Ending(end=End.STOPPED)


def either() -> Ending:
    """The run may end well or not; whatever it says, it is true."""
    return Ending(end=End.EITHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to break a run.

    `strikes` are told to the lab before the run, `by_hand` is done before it; `then` are told, or
    `interrupts` are sent, once the last of `strikes` has struck. `mend` is what somebody does
    before the next run, beside ending the faults.
    """

    name: str
    number: str  # in the catalogue of measurement-plan.md
    ends: Mapping[str, Ending]  # by verb
    strikes: tuple[Settings, ...] = ()
    then: tuple[Settings, ...] = ()
    interrupts: int = 0
    by_hand: ByHand | None = None
    mend: ByHand | None = None
    of_site: bool = False  # the site's own stack has to mend its part as well
    start: Mapping[str, str] = field(default_factory=dict)  # snapshot by verb, where not the usual

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


STARTS = {"up": "nothing", "refresh": "there", "destroy": "there"}
"""The snapshot that a verb starts from."""


def run_under(ground: Ground, fault: Fault, verb: str) -> tuple[Run, Rows]:
    """Run a verb under a fault, which is over afterwards; and the rows from before it."""
    if fault.by_hand is not None:
        fault.by_hand(ground)
    before = ground.rows()
    ground.mark()
    last = 0
    for each in fault.strikes:
        last = ground.strike(**_of_event(ground, each))
    process = ground.begin(verb, broken_off=fault.interrupts > 0)
    try:
        _in_the_middle(ground, fault, last, process)
    finally:
        run = ground.ended(process, verb)
    ground.clear()
    return run, before


def _of_event(ground: Ground, settings: Settings) -> dict[str, Any]:
    own = dict(settings)
    if "vmid" in own:
        own["vmid"] = ground.event.vmids[own["vmid"]]
    return own


def _in_the_middle(
    ground: Ground, fault: Fault, last: int, process: subprocess.Popen[bytes]
) -> None:
    if not (fault.then or fault.interrupts):
        return
    ground.wait_until_struck(last, process=process)
    for each in fault.then:
        ground.strike(**each)
    for _ in range(fault.interrupts):
        process.send_signal(signal.SIGINT)
