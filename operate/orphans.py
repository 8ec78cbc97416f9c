"""Processes that a killed run has left behind: its engine, plugins, language host, program.

A plugin that outlives its engine goes on writing to the site, and an engine that outlives the
command line goes on with the whole run. Both carry the variable `PRACTICUM_RUN` of the command
line that started them, so they are told from everybody else's, and they are ended, by number,
before anybody looks at what the run has left half-made.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RUN = "PRACTICUM_RUN"
"""Variable of the engine and all that it starts: number and start time of the command line."""

FINISH_S = 60.0
"""Seconds that an engine without its command line has for what it has in work."""

GIVE_UP_S = 10.0
"""Seconds that it has after the second interrupt, and that a plugin has to end by itself."""

POLL_S = 0.05
PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A process of a run whose command line is gone."""

    pid: int
    started: str  # ticks since the machine's start; tells it from a later process of its number
    name: str
    is_engine: bool

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return _started(self.pid) == self.started

    def __str__(self) -> str:
        return f"{self.name}, process {self.pid}"


def this_run() -> str:
    """The value of `PRACTICUM_RUN` for what this process starts."""
    return f"{os.getpid()}.{_started(os.getpid())}"


def orphans(variables: Mapping[str, str], *, of_this_run: bool = False) -> list[Orphan]:
    """What runs on the same stack and backend without its command line, the engine first.

    `variables` are those that the engine of the stack runs with. With `of_this_run` instead: what
    this process has started.
    """
    found = []
    for pid, theirs in _processes():
        run = theirs.get(RUN, "")
        if any(theirs.get(name) != variables.get(name) for name in _SAME):
            continue
        if (run == this_run()) if of_this_run else not _runs(run):
            started, name = _started(pid), _name(pid)
            if started:
                engine = name == "pulumi"
                found.append(Orphan(pid=pid, started=started, name=name, is_engine=engine))
    return sorted(found, key=lambda each: not each.is_engine)


_SAME = ("PRACTICUM_STACK_FILE", "PULUMI_BACKEND_URL")


def end(found: list[Orphan]) -> None:
    """End all of them: engines may finish what they have in work, then nothing is left to write."""
    for each in found:
        if each.is_engine:
            _end_engine(each)
    rest = [each for each in found if each.alive]
    for each in rest:
        _signal(each, signal.SIGTERM)
    for each in rest:
        if not _gone(each, GIVE_UP_S if each is rest[0] else POLL_S):
            _signal(each, signal.SIGKILL)
            _gone(each, GIVE_UP_S)


def _end_engine(engine: Orphan) -> None:
    for number, patience in (
        (signal.SIGINT, FINISH_S), (signal.SIGINT, GIVE_UP_S), (signal.SIGKILL, GIVE_UP_S),
    ):  # fmt: skip
        _signal(engine, number)
        if _gone(engine, patience):
            return


def _signal(each: Orphan, number: int) -> None:
    if each.alive:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each.pid, number)


def _gone(each: Orphan, patience: float) -> bool:
    limit = time.monotonic() + patience
    while each.alive:
        if time.monotonic() > limit:
            return False
        time.sleep(POLL_S)
    return True


def _processes() -> Iterator[tuple[int, dict[str, str]]]:
    """Processes of this user that carry our variable, with their variables."""
    wanted = f"{RUN}=".encode()
    for folder in PROC.glob("[0-9]*"):
        try:
            body = (folder / "environ").read_bytes()
        except OSError:
            continue  # somebody else's, or gone
        if wanted not in body:
            continue
        pairs = (os.fsdecode(entry).partition("=") for entry in body.split(b"\0") if entry)
        yield int(folder.name), {name: value for name, _, value in pairs}


def _runs(run: str) -> bool:
    """Whether the command line that a value of `PRACTICUM_RUN` names is still there."""
    pid, _, started = run.partition(".")
    return pid.isdigit() and _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process has started, in ticks; empty for one that is gone or only not buried yet."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()  # NUMBER (NAME) STATE … STARTED …
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _name(pid: int) -> str:
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return ""
    return os.path.basename(os.fsdecode(command))
