"""SIGKILL at exact moments of an `up`: who is killed, at which request, and what has to hold then.

A fault of the lab makes the moment exact: the request hangs, before its work or after it, and
meanwhile the victim is killed. Each point starts from the same prepared site, without the event.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from event.stack import SiteStack
from operate import lab_process
from operate.lab_control import ask
from operate.lab_process import LabStatus
from operate.places import Places
from operate.stacks import load
from tests.engine.entries import entries
from tests.engine.ground import differences, done, picture, state_of
from tests.engine.practice import ROOT, STATE_ONCE, Practice, Run

PATIENCE_S = 120.0
GONE_S = 8.0
"""Seconds that a killed lab stays away from an `up` that waits for it."""

FOREIGN = "somebodys"
Victim = Literal["program", "engine", "plugin", "lab"]
VICTIMS: tuple[Victim, ...] = ("program", "engine", "plugin", "lab")
FIRST: dict[Victim, int] = {"program": 1, "engine": 21, "plugin": 21, "lab": 1}
"""The first request at which a victim is there; those before are the command line's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment: the `index`-th request of a method (`*`: of any), when its work is done or not."""

    victim: Victim
    index: int
    method: str = "*"
    after: bool = False

    def __str__(self) -> str:
        method = "" if self.method == "*" else self.method.lower()
        return f"{self.victim}-{method}{self.index}{'-done' if self.after else ''}"


@dataclass(slots=True, kw_only=True)
class KillingGround:
    """A prepared site with things of others on it, and what an unbroken `up` of the event makes."""

    practice: Practice
    event: str
    large: bool = False  # runs that nothing breaks off write the engine's state once
    unbroken: dict[str, Any] = field(default_factory=dict)
    resources: set[str] = field(default_factory=set)  # URNs of the state after it
    settled: set[str] = field(default_factory=set)  # entries of states that one more run left alone
    requests: list[dict[str, Any]] = field(default_factory=list)  # of the unbroken run
    foreign: list[dict[str, Any]] = field(default_factory=list)
    site: SiteStack = field(init=False)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        """Make the site, put things of others there, and see what an unbroken run makes."""
        practice = self.practice
        self.places = Places(root=ROOT, state=practice.state)
        practice.good("up", "lab")
        site = load(str(practice.file("lab")), self.places)
        assert isinstance(site, SiteStack)
        self.site = site
        self._put_foreign()
        self.foreign = self.theirs()
        self._stop_lab()
        shutil.copytree(practice.state, self._kept, symlinks=True)
        self._start_lab()
        before = len(practice.requests())
        self._undisturbed()
        self.requests = practice.requests()[before:]
        self.unbroken = picture(practice, self.event)
        self.resources = {each["urn"] for each in self._state()["resources"]}

    def _put_foreign(self) -> None:
        api = self.practice.api
        api("POST", "pools", poolid=FOREIGN, comment="practicum:others")
        api("POST", "cluster/firewall/groups", group=FOREIGN, comment="practicumlike")
        for host, vmid in (("pve01", "300000"), ("pve02", "200999")):
            given = {"vmid": vmid, "name": f"{FOREIGN}-{vmid}", "memory": "64", "pool": FOREIGN}
            done(self.practice, "POST", f"nodes/{host}/qemu", **given)

    def theirs(self) -> list[dict[str, Any]]:
        """The objects of others in the lab's export, whole."""
        found = [each for each in self._export() if FOREIGN in json.dumps(each)]
        kinds = ("task", "log", "request")
        found = [each for each in found if not str(each["kind"]).startswith(kinds)]
        return sorted(found, key=lambda each: (each["kind"], each["key"]))

    def _export(self) -> list[dict[str, Any]]:
        file = self.practice.folder / "export.json"
        ask(self._lab(), "export", file=str(file))
        objects: list[dict[str, Any]] = json.loads(file.read_text())["objects"]
        return objects

    @property
    def _kept(self) -> Path:
        return self.practice.folder / "kept"

    def _lab(self) -> LabStatus:
        return lab_process.status(self.site, self.places)

    def _stop_lab(self) -> None:
        lab_process.stop(self.site, self.places)

    def _start_lab(self) -> None:
        lab_process.start(self.site, self.places)

    def _state(self) -> dict[str, Any]:
        return state_of(self.practice, self.event)

    def restore(self) -> None:
        """The prepared site, without the event and its state; the lab runs."""
        self._stop_lab()
        shutil.rmtree(self.practice.state)
        shutil.copytree(self._kept, self.practice.state, symlinks=True)
        self._start_lab()

    def kill(self, point: Point) -> bool:
        """Start `up` and kill the victim at its moment; False when the run was over before."""
        asked = {"kind": "hang", "index": str(point.index), "method": point.method, "count": 1}
        ask(self._lab(), "add-fault", fault=asked | ({"after": True} if point.after else {}))
        process = self.practice.start("up", self.event)
        try:
            struck = self._wait_for_strike(process)
            if struck:
                self._kill(point.victim, process)
            if self._lab().running:
                ask(self._lab(), "clear-faults")
            code = self._ended(process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        assert code or not struck or point.victim == "lab", f"well without its {point.victim}"
        return struck

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code of `up`. Who waits for a lab that is gone sees it come back."""
        try:
            return process.wait(timeout=PATIENCE_S if self._lab().running else GONE_S)
        except subprocess.TimeoutExpired:
            self._start_lab()
            return process.wait(timeout=PATIENCE_S)

    def _wait_for_strike(self, process: subprocess.Popen[bytes]) -> bool:
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            if any(each["fired"] for each in ask(self._lab(), "list-faults")):
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.05)
        raise AssertionError(f"up does nothing for {PATIENCE_S:.0f} s")

    def _kill(self, victim: Victim, process: subprocess.Popen[bytes]) -> None:
        if victim == "lab":
            pid = self._lab().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            _wait(lambda: not self._lab().running)
            return
        mine = dict(_below(process.pid))
        names = {
            "program": ("python", "pulumi-language-python"),
            "engine": ("pulumi",),
            "plugin": ("pulumi-resource-proxmoxve",),
        }[victim]
        found = [pid for pid, name in mine.items() if name.startswith(names[-1])]
        found = [pid for pid in found if victim != "engine" or mine[pid] == "pulumi"]
        if victim == "program":
            hosts = [below for pid in found for below, _ in _below(pid)]
            found = [process.pid, *found, *hosts]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        assert found, f"no {victim} among {mine}"

    def check(self) -> None:
        """The next `up` finishes alone, ends as an unbroken run; one more sends nothing."""
        practice = self.practice
        self._undisturbed()
        assert differences(picture(practice, self.event), self.unbroken) == []
        assert self.theirs() == self.foreign
        state = self._state()
        assert {each["urn"] for each in state["resources"]} == self.resources
        assert not state.get("pending_operations")
        assert not [each for each in state["resources"] if each.get("initErrors")]
        if not entries(state) <= self.settled:
            self._one_more()

    def _undisturbed(self) -> Run:
        """An `up` that nothing breaks off, and that must succeed."""
        self.practice.variables = STATE_ONCE if self.large else {}
        try:
            return self.practice.good("up", self.event)
        finally:
            self.practice.variables = {}

    def _one_more(self) -> None:
        """One more `up` changes nothing, and so will every `up` with these entries in the state.

        The site is the same after every point, so what the engine does to a resource depends on
        its entry alone: a point whose entries have all been seen needs no run of its own.
        """
        practice, before = self.practice, self.practice.writes()
        found = entries(self._state())
        assert self._undisturbed().changes == {}
        assert practice.writes() == before
        self.settled |= found

    def answered(self) -> None:
        """Everything that the lab has answered to writers is in it after it was killed."""
        was_running = self._lab().running
        self._start_lab()
        objects = {(each["kind"], each["key"]): each["value"] for each in self._export()}
        text = json.dumps(list(objects.values()))
        for each in self.practice.requests():
            if each["method"] != "POST" or each["status"] != 200:
                continue
            for name in ("poolid", "groupid", "roleid", "group"):
                value = each["params"].get(name)
                assert value is None or f'"{value}"' in text or value in str(objects.keys()), each
        if not was_running:
            self._stop_lab_hard()

    def _stop_lab_hard(self) -> None:
        pid = self._lab().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: not self._lab().running)


def _below(pid: int) -> Iterator[tuple[int, str]]:
    """Processes that a process has started, directly or not, with their names."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = [
            child
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text().split()
        ]
    except OSError:
        return
    for child in dict.fromkeys([*children, *threads]):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0]
        except OSError:
            continue
        yield int(child), os.path.basename(os.fsdecode(command))
        yield from _below(int(child))


def _wait(there: Any) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < limit
        time.sleep(0.01)
