"""Lines about long work: at least one every ten seconds, each with an estimate."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EVERY_S = 10.0
_TRUST_S = 120.0

Say = Callable[[str], None]


def to_stderr(line: str) -> None:
    """One line of progress; standard output stays for results."""
    print(f"toolchain: {line}", file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    """`45s`, `1m20s`, `1h05m`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def rough(seconds: float) -> str:
    """An estimate without false precision: `40s`, `4m`, `1h10m`."""
    if seconds < 60:
        return f"{max(10, round(seconds / 10) * 10)}s"
    if seconds < 3600:
        return f"{round(seconds / 60)}m"
    return f"{int(seconds // 3600)}h{int(seconds % 3600 // 600) * 10:02d}m"


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where the work is. The estimate learns this machine's speed from finished steps."""

    expected_s: Sequence[int]
    say: Say
    clock: Callable[[], float] = time.monotonic
    every_s: float = EVERY_S
    verb: str = "building"
    _title: str = ""
    _step: int = 0
    _step_began: float = 0.0
    _began: float = field(default=0.0)
    _last: float = 0.0

    def begin(self, title: str) -> None:
        """Enter the next step and say so."""
        now = self.clock()
        if self._step == 0:
            self._began = now
        self._title, self._step, self._step_began = title, self._step + 1, now
        self._line(now)

    def tick(self) -> None:
        """Say where we are, unless that was said within the last ten seconds."""
        now = self.clock()
        if now - self._last >= self.every_s:
            self._line(now)

    def _line(self, now: float) -> None:
        self._last = now
        place = f"{self.verb} {self._title} ({self._step} of {len(self.expected_s)})"
        self.say(f"{place}, {span(now - self._began)} of about {rough(self.total_s(now))}")

    def total_s(self, now: float) -> float:
        """Expected length of the whole work in seconds, never less than what has passed."""
        done = sum(self.expected_s[: self._step - 1])
        taken = self._step_began - self._began
        # A short step says little about the machine, so the measured times keep a weight.
        pace = (taken + _TRUST_S) / (done + _TRUST_S)
        ahead = sum(self.expected_s[self._step :]) * pace
        current = max(self.expected_s[self._step - 1] * pace, now - self._step_began)
        return taken + current + ahead


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, progress: Progress
) -> int:
    """Run to the end with all output appended to the log; give back the exit code.

    Whatever ends the wait early ends the command too, with everything it has started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # in a group of its own, so that compilers end with it
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            while True:
                try:
                    return process.wait(timeout=min(1.0, progress.every_s))
                except subprocess.TimeoutExpired:
                    progress.tick()
        finally:
            if process.poll() is None:
                end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own group, and the group: politely, then not."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(timeout=3)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
