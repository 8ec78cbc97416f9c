"""Runs the Pulumi engine: short questions, and long runs whose events are followed.

A long run has a process group of its own. The first interrupt is handed to the engine, which
ends the steps in work and saves; guests that wait for their turn are told by a file, since the
engine does not tell its program; the second one is handed on as well, which makes it give up;
if that does not help within seconds, or at the third, the whole group is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO, Any

from event.problems import RunError
from operate.engine_errors import explain
from operate.event_log import Event, Tail
from operate.orphans import RUN, end, orphans, this_run
from operate.places import KEPT_LOGS, Places, own_folder

POLL_S = 0.05
GIVE_UP_S = 5.0
"""Seconds that the engine has between the second interrupt and being killed."""

CHECKED = "PRACTICUM_CHECKED"
"""Tells the program that the site was looked at; without the command line it looks by itself."""

ENDING = "PRACTICUM_ENDING"
"""Names the file that is there once the run is to end."""

DEBUG_COMMANDS = "PULUMI_DEBUG_COMMANDS"
"""The engine knows the option --event-log only with this variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRef:
    """A stack by its name and file.

    `project` is the folder of the Pulumi.yaml that finds the file: the checkout, or a folder of
    ours for a file outside stacks/. `config_file` is set for a file that is not Pulumi.NAME.yaml.
    """

    name: str
    path: Path
    project: Path
    outside: bool
    config_file: Path | None

    @property
    def typed(self) -> str:
        """What a person types for it: its name, or the path of a file outside stacks/."""
        return str(self.path) if self.outside else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a short engine command has said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a long run has ended; `log` is the engine's own output, `events` its event log."""

    code: int
    interrupted: bool
    log: Path
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the engine ended well and by itself."""
        return self.code == 0 and not self.interrupted


class Engine:
    """The engine for one stack. `variables` are complete: what the process runs with."""

    def __init__(
        self, pulumi: Path, places: Places, stack: StackRef, variables: Mapping[str, str]
    ) -> None:
        self.pulumi = pulumi
        self.places = places
        self.stack = stack
        self.variables = dict(variables)

    def ask(self, *arguments: str, stdin: str = "", config: bool = False) -> Answer:
        """Run a short command to its end; `config` for those that read the stack file."""
        command = [str(self.pulumi), *arguments, "--non-interactive", "--color", "never"]
        if config and self.stack.config_file is not None:
            command += ["--config-file", str(self.stack.config_file)]
        done = subprocess.run(
            command,
            cwd=self.stack.project,
            env=self.variables,
            input=stdin,
            capture_output=True,
            text=True,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def told(self, *arguments: str, stdin: str = "", config: bool = False) -> str:
        """What a short command prints; `RunError` in our words when it fails."""
        answer = self.ask(*arguments, stdin=stdin, config=config)
        if answer.code != 0:
            raise RunError(explain(answer.err or answer.out, self.stack.name))
        return answer.out

    def follow(
        self,
        verb: str,
        options: Sequence[str],
        take: Callable[[Event], None],
        *,
        on_interrupt: Callable[[int], None] = lambda _: None,
    ) -> Finished:
        """Run a verb and hand on each event as it is logged; `on_interrupt` is told the number of
        interrupts so far."""
        log, events = self._logs(verb)
        started = time.monotonic()
        tail = Tail(events)
        ending = events.with_suffix(".ending")

        def interrupted(count: int) -> None:
            ending.touch(mode=0o600)
            on_interrupt(count)

        with log.open("ab") as output, _Interrupts() as interrupts:
            process = self._begun(self._command(verb, options, events), output, ending)
            try:
                for event in _events_until_end(process, tail, interrupts, interrupted):
                    take(event)
            except BaseException:
                _stop(process)
                raise
            finally:
                tail.close()
                ending.unlink(missing_ok=True)
                if process.returncode and process.returncode < 0:
                    end(orphans(self.variables, of_this_run=True))  # else they go on writing
        return Finished(
            code=process.returncode,
            interrupted=interrupts.count > 0,
            log=log,
            seconds=time.monotonic() - started,
        )

    def _begun(
        self, command: list[str], output: IO[bytes], ending: Path
    ) -> subprocess.Popen[bytes]:
        told = {DEBUG_COMMANDS: "true", CHECKED: "true", RUN: this_run(), ENDING: str(ending)}
        return subprocess.Popen(
            command,
            cwd=self.stack.project,
            env={**self.variables, **told},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def _command(self, verb: str, options: Sequence[str], events: Path) -> list[str]:
        command = [str(self.pulumi), verb, "--stack", self.stack.name, "--non-interactive"]
        command += ["--color", "never", "--suppress-outputs", "--event-log", str(events), *options]
        if self.stack.config_file is not None:
            command += ["--config-file", str(self.stack.config_file)]
        return command

    def _logs(self, verb: str) -> tuple[Path, Path]:
        """Two new private files for a run's output and events; the oldest runs' are removed."""
        folder = own_folder(self.places.logs / self.stack.name)
        old = sorted(folder.glob("*.events.jsonl"))[: -KEPT_LOGS or None]
        for path in old:
            path.unlink(missing_ok=True)
            path.with_name(path.name.replace(".events.jsonl", ".log")).unlink(missing_ok=True)
        stem = f"{datetime.now():%Y-%m-%d-%H%M%S-%f}-{verb}"
        pair = folder / f"{stem}.log", folder / f"{stem}.events.jsonl"
        for path in pair:
            path.touch(mode=0o600)
        return pair


class _Interrupts:
    """Counts the interrupts (SIGINT, SIGTERM, SIGHUP) that arrive meanwhile."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.last = time.monotonic()


def _events_until_end(
    process: subprocess.Popen[bytes],
    tail: Tail,
    interrupts: _Interrupts,
    on_interrupt: Callable[[int], None],
) -> Iterator[Event]:
    """Events until the engine has ended, handing interrupts on to it."""
    handed = 0
    while True:
        ended = process.poll() is not None
        yield from tail.events()
        if ended:
            return
        if interrupts.count > handed and handed < 2:
            handed += 1
            on_interrupt(handed)
            process.send_signal(signal.SIGINT)
        elif interrupts.count > 2 or (
            interrupts.count == 2 and time.monotonic() - interrupts.last > GIVE_UP_S
        ):
            _stop(process)
        time.sleep(POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill the engine with its plugins; what it had in work stays noted in the state."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
