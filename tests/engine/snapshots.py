"""A practice ground that can be put back: snapshots of site, state and stack files by name.

A snapshot is an export of the lab, the engine's backend and the stack files, so a case starts from
what it needs, whatever the case before it left. The lab runs with the waits of its cluster made
short (`--clock`); its faults are told over its control socket.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.oracle.database import Event, Rows, settled
from tests.engine.practice import ROOT, STATE_ONCE, Practice, Run

CLOCK = "0.1"
LIMIT_S = 420.0
"""Seconds after which a run counts as one that never ends."""

SITE = "lab"


@dataclass(slots=True, kw_only=True)
class Ground:
    """One event on the shipped lab, and the snapshots of both."""

    practice: Practice
    stack: str
    clock: str = CLOCK
    large: bool = False  # runs that are not broken off write the engine's state once
    at: str = ""  # the snapshot that the ground is known to be like; empty after a case
    outputs: list[tuple[str, bytes]] = field(default_factory=list)  # of runs since `mark`
    were: list[dict[str, Any]] = field(default_factory=list)  # faults that `clear` has ended
    _marked: float = 0.0  # seconds since the epoch at `mark`
    _requests: int = 0  # bytes of the request log at `mark`
    _lab: subprocess.Popen[bytes] | None = None

    @property
    def lab(self) -> Path:
        """The lab's state folder."""
        return self.practice.state / "lab" / SITE

    @property
    def state(self) -> Path:
        """The engine's file about the event."""
        return self._backend / ".pulumi" / "stacks" / "practicum" / f"{self.stack}.json"

    @property
    def event(self) -> Event:
        """What tells the event's objects from others."""
        return Event.of(self.practice.file(self.stack))

    def rows(self) -> Rows:
        """The lab's database, once nothing is at work any more."""
        return settled(self.lab / "lab.db")

    def run(self, verb: str, *options: str, stack: str = "", limit: float = LIMIT_S) -> Run:
        """Run a verb with JSON events; a run that does not end in time fails the test."""
        return self.ended(self.begin(verb, *options, stack=stack), verb, limit)

    def undisturbed(self, verb: str, *, stack: str = "") -> Run:
        """Like `run`, for one that nothing breaks off."""
        return self.ended(self.begin(verb, stack=stack, broken_off=False), verb)

    def begin(
        self,
        verb: str,
        *options: str,
        stack: str = "",
        broken_off: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start a verb with JSON events, whether or not it may be `broken_off` before its end."""
        variables = STATE_ONCE if self.large and not broken_off else {}
        file = self.practice.file(stack or self.stack)
        return subprocess.Popen(
            [str(ROOT / "practicum"), verb, str(file), "--json", *options],
            env={**self.practice.environment, **variables},
            cwd=self.practice.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self, process: subprocess.Popen[bytes], verb: str, limit: float = LIMIT_S) -> Run:
        """Wait for a verb's end."""
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            _give_up(process)
            raise AssertionError(f"{verb} {self.stack} does not end within {limit:.0f} s") from None
        self.outputs += [(f"{verb}'s output", out), (f"{verb}'s errors", err)]
        lines = out.decode().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return Run(process.returncode, events, err.decode())

    def good(self, verb: str, *, stack: str = "") -> Run:
        """Like `undisturbed`, and it must succeed."""
        run = self.undisturbed(verb, stack=stack)
        assert run.code == 0, f"{verb} {self.stack}:\n{run.texts}\n{run.errors}\n{run.events[-1:]}"
        return run

    def strike(self, kind: str, **settings: Any) -> int:
        """Add a fault; its number."""
        fault = {"kind": kind, **settings}
        return int(self._order("add-fault", fault=fault)["number"])

    def struck(self) -> list[dict[str, Any]]:
        """All faults, with how often each has struck."""
        found: list[dict[str, Any]] = self._order("list-faults")
        return found

    def wait_until_struck(self, number: int, *, process: subprocess.Popen[bytes]) -> None:
        """Wait until a fault has struck a run that goes on."""
        end = time.monotonic() + LIMIT_S
        while not any(each["number"] == number and each["fired"] for each in self.struck()):
            assert process.poll() is None, "the run ended before the fault struck"
            assert time.monotonic() < end, "the fault does not strike"
            time.sleep(0.05)

    def clear(self) -> None:
        """End all faults; `were` has them with how often each has struck."""
        self.were = self.struck()
        self._order("clear-faults")

    def mark(self) -> None:
        """From here on `requests` and `outputs` count."""
        log = self.lab / "requests.jsonl"
        self._requests = log.stat().st_size if log.exists() else 0
        self._marked = time.time()
        self.outputs.clear()

    def texts(self) -> dict[str, bytes]:
        """What runs have said or written since `mark`, by name: output, logs, state, requests."""
        found = dict(self.outputs)
        places = (
            "logs",
            "backend",
            "pulumi-home/logs",
            "lab/lab/lab.log",
            "lab/lab/requests.jsonl",
        )
        for place in (self.practice.state / each for each in places):
            files = place.rglob("*") if place.is_dir() else (place,)
            for file in files:
                if file.is_file() and file.stat().st_mtime >= self._marked:
                    found[str(file)] = file.read_bytes()
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Requests since `mark`."""
        with (self.lab / "requests.jsonl").open("rb") as log:
            log.seek(self._requests)
            return [json.loads(line) for line in log.read().splitlines()]

    def keep(self, name: str) -> None:
        """Take a snapshot of how things are."""
        folder = self._snapshot(name)
        self.rows()
        self._told("lab", "export", str(folder / "lab.json"), str(self._site))
        shutil.copytree(self._backend, folder / "backend", symlinks=True)
        shutil.copytree(self.practice.stacks, folder / "stacks")
        shutil.copyfile(self.lab / "token", folder / "token")
        self.at = name

    def back_to(self, name: str) -> None:
        """Put everything back to a snapshot, unless it is known to be so."""
        if self.at == name:
            return
        folder = self._snapshot(name)
        self.stop_lab()
        self._told("lab", "import", str(folder / "lab.json"), str(self._site), "--yes")
        for kept, place in (("backend", self._backend), ("stacks", self.practice.stacks)):
            shutil.rmtree(place)
            shutil.copytree(folder / kept, place, symlinks=True)
        shutil.copyfile(folder / "token", self.lab / "token")
        self.start_lab()
        self.at = name

    def _snapshot(self, name: str) -> Path:
        folder = self.practice.folder / "snapshots" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def _site(self) -> Path:
        return self.practice.file(SITE)

    @property
    def _backend(self) -> Path:
        return self.practice.state / "backend"

    def start_lab(self) -> None:
        """Start the lab with short waits; the command line finds it running."""
        command = [sys.executable, "-P", "-m", "lab", "serve", "--state", str(self.lab)]
        command += ["--seed", str(self.lab / "seed.json"), "--auth-delay", "0.05"]
        command += ["--port", str(self.practice.ports[SITE]), "--clock", self.clock]
        self._lab = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._lab.stdout is not None
        assert self._lab.stdout.readline(), "the lab did not start"

    def quicken(self) -> None:
        """Start the lab anew, with short waits: a command line has started it without."""
        self.stop_lab()
        self.start_lab()

    def stop_lab(self) -> None:
        """Stop the lab, whoever started it."""
        self._told("lab", "stop", str(self._site))
        if self._lab is not None:
            self._lab.communicate()
            self._lab = None

    def _told(self, *words: str) -> None:
        done = self.practice.call(*words)
        assert done.returncode == 0, done.stdout + done.stderr

    def _order(self, do: str, **order: Any) -> Any:
        path = self.lab / "control.sock"
        name = os.readlink(path) if path.is_symlink() else str(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(name)
            with connection.makefile("rwb") as stream:
                stream.write(json.dumps({"do": do, **order}).encode() + b"\n")
                stream.flush()
                answer: Mapping[str, Any] = json.loads(stream.readline())
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def close(self) -> None:
        """Stop the lab and remove what a case may have left running."""
        self.practice.close()
        if self._lab is not None:
            self._lab.communicate()


def _give_up(process: subprocess.Popen[bytes]) -> None:
    """End a run: at the third interrupt the command line kills its engine."""
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
