"""A lab that is killed under load has everything that it has answered for."""

from __future__ import annotations

import http.client
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.program import Program

WRITERS = 6
LOST = (OSError, http.client.HTTPException)
ENOUGH, ENOUGH_TOLD = 20, 5
PATIENCE_S = 60


def wait_until(done: Callable[[], int], wanted: int) -> None:
    """Wait for so much work: how long it takes says something about the machine alone."""
    until = time.monotonic() + PATIENCE_S
    while done() <= wanted:
        assert time.monotonic() < until, f"{done()} of {wanted}"
        time.sleep(0.01)


class Writer(threading.Thread):
    """Makes, changes and removes pools one after the other; knows what was answered for each.

    `answered` maps names to the last comment that was confirmed (None: removed), `open` are the
    names whose last request got no answer.
    """

    def __init__(self, program: Program, endpoint: str, name: str) -> None:
        super().__init__()
        self._client = program.client(endpoint)
        self._prefix = name
        self.answered: dict[str, str | None] = {}
        self.unsure: set[str] = set()

    def run(self) -> None:
        number = 0
        while True:
            number += 1
            name = f"{self._prefix}-{number}"
            try:
                self._write(name, "POST", "pools", poolid=name, comment="made")
                self._write(name, "PUT", f"pools/{name}", comment="changed")
                if number % 3 == 0:
                    self._write(name, "DELETE", f"pools/{name}")
            except LOST:
                return

    def _write(self, name: str, method: str, path: str, **params: str) -> None:
        self.unsure.add(name)
        self._client.call(method, path, **params).ok()
        self.unsure.discard(name)
        self.answered[name] = params.get("comment")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_answered_write_survives_a_kill_under_load(
    tmp_path: Path, programs: list[Program], seed: int
) -> None:
    programs.append(Program(tmp_path))
    endpoint = programs[0].ready()["endpoint"]
    writers = [Writer(programs[0], endpoint, f"w{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    # One request of each writer may get no answer.
    wait_until(lambda: sum(len(writer.answered) for writer in writers), ENOUGH + WRITERS)
    time.sleep(random.Random(seed).uniform(0, 0.5))
    assert programs[0].end(signal.SIGKILL) == -signal.SIGKILL
    for writer in writers:
        writer.join(30)
    programs.append(Program(tmp_path))
    client = programs[1].client(programs[1].ready()["endpoint"])
    found = {pool["poolid"]: pool.get("comment") for pool in client.call("GET", "pools").ok()}
    answered = {n: c for w in writers for n, c in w.answered.items() if n not in w.unsure}
    assert len(answered) > ENOUGH
    kept = {name: comment for name, comment in answered.items() if comment is not None}
    assert {name: found.get(name) for name in kept} == kept
    assert not [name for name, comment in answered.items() if comment is None and name in found]
    strangers = found.keys() - answered.keys()
    assert strangers <= {name for writer in writers for name in writer.unsure}


class Maker(threading.Thread):
    """Makes guests one after the other, and knows of which it was told that they are made."""

    def __init__(self, program: Program, endpoint: str, first: int) -> None:
        super().__init__()
        self._client = program.client(endpoint)
        self._vmid = first
        self.made: dict[int, str] = {}

    def run(self) -> None:
        try:
            while True:
                self._vmid += 1
                path = "nodes/pve1/qemu"
                upid = self._client.call("POST", path, vmid=self._vmid, scsi0="pool:8").ok()
                while self._status(upid)["status"] == "running":
                    pass
                self.made[self._vmid] = upid
        except LOST:
            return

    def _status(self, upid: str) -> dict[str, str]:
        found: dict[str, str] = self._client.call("GET", f"nodes/pve1/tasks/{upid}/status").ok()
        return found


@pytest.mark.parametrize("seed", [4, 5])
def test_a_result_that_was_told_survives_a_kill(
    tmp_path: Path, programs: list[Program], seed: int
) -> None:
    programs.append(Program(tmp_path))
    endpoint = programs[0].ready()["endpoint"]
    makers = [Maker(programs[0], endpoint, first) for first in (1000, 2000, 3000, 4000)]
    for maker in makers:
        maker.start()
    wait_until(lambda: sum(len(maker.made) for maker in makers), ENOUGH_TOLD)
    time.sleep(random.Random(seed).uniform(0, 0.3))
    programs[0].end(signal.SIGKILL)
    for maker in makers:
        maker.join(30)
    programs.append(Program(tmp_path))
    client = programs[1].client(programs[1].ready()["endpoint"])
    guests = {row["vmid"] for row in client.call("GET", "nodes/pve1/qemu").ok()}
    told = {vmid: upid for maker in makers for vmid, upid in maker.made.items()}
    assert len(told) > ENOUGH_TOLD
    assert told.keys() <= guests
    for upid in told.values():
        status = client.call("GET", f"nodes/pve1/tasks/{upid}/status").ok()
        assert status["exitstatus"] == "OK"


def test_what_ran_when_the_lab_was_killed_has_failed_and_can_be_done_again(
    tmp_path: Path, programs: list[Program]
) -> None:
    options = ("--realistic", "--clone-seconds", "5")
    programs.append(Program(tmp_path, *options))
    client = programs[0].client(programs[0].ready()["endpoint"])
    client.call("POST", "nodes/pve1/qemu", vmid="100", scsi0="local:1,format=qcow2").ok()
    client.call("POST", "nodes/pve1/qemu/100/template").ok()
    upid = client.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok()
    programs[0].end(signal.SIGKILL)
    programs.append(Program(tmp_path))
    client = programs[1].client(programs[1].ready()["endpoint"])
    status = client.call("GET", f"nodes/pve1/tasks/{upid}/status").ok()
    assert (status["status"], status["exitstatus"]) == ("stopped", "unexpected status")
    assert client.call("GET", "nodes/pve1/qemu/101/config").ok()["lock"] == "clone"
    ended = client.call("DELETE", "nodes/pve1/qemu/101").ok()
    refused = client.call("GET", f"nodes/pve1/tasks/{ended}/status").ok()
    assert refused["exitstatus"] == "VM is locked (clone)"
