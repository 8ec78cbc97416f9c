"""The order for a guest's files: who may have them, and that nobody has the guest meanwhile."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.engines.base import Disk
from lab.engines.none import NoEngine
from tests.lab.direct import SEED
from tests.lab.served import ServedLab

PATIENCE_S = 60


class Mounting(NoEngine):
    """An engine that notes how long a disk is held."""

    name = "mounting"

    def __init__(self) -> None:
        self.held: list[int] = []
        self.given_back = threading.Event()

    @asynccontextmanager
    async def disk(self, guest: Any, /) -> AsyncIterator[Disk]:
        self.held.append(guest.vmid)
        try:
            yield Disk(process=os.getpid(), place="/somewhere")
        finally:
            self.given_back.set()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    lab = ServedLab(tmp_path, SEED)
    try:
        lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid=100, name="g").ok())
        yield lab
    finally:
        lab.close()


def connected(lab: ServedLab) -> socket.socket:
    path = lab.state / "control.sock"
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(os.readlink(path) if path.is_symlink() else str(path))
    return connection


def opened(connection: socket.socket, vmid: int) -> dict[str, Any]:
    with connection.makefile("rwb") as stream:
        stream.write(json.dumps({"do": "open-disk", "vmid": vmid}).encode() + b"\n")
        stream.flush()
        answer: dict[str, Any] = json.loads(stream.readline())
    return answer


def refusal(lab: ServedLab, vmid: int) -> str:
    with connected(lab) as connection:
        return str(opened(connection, vmid)["error"])


def test_a_guest_is_nobody_elses_until_the_connection_ends(lab: ServedLab) -> None:
    engine = Mounting()
    lab.lab.engine = engine
    with connected(lab) as connection:
        assert opened(connection, 100) == {"ok": {"process": os.getpid(), "place": "/somewhere"}}
        upid = lab.call("POST", "nodes/pve1/qemu/100/status/start").ok()
        until = time.monotonic() + PATIENCE_S
        while "trying to acquire lock" not in str(lab.get(f"nodes/pve1/tasks/{upid}/log")):
            assert time.monotonic() < until, "a start has to wait"
            time.sleep(0.02)
        assert not engine.given_back.is_set()
    assert lab.finish(upid)["status"] == "OK"
    assert engine.given_back.wait(PATIENCE_S)
    assert engine.held == [100]


def test_files_of_a_guest_that_runs_are_its_own(lab: ServedLab) -> None:
    lab.lab.engine = Mounting()
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    assert refusal(lab, 100) == "VM 100 is running: switch it off first"
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/stop").ok())


def test_other_guests_without_files_are_refused_with_their_reason(lab: ServedLab) -> None:
    assert "engine: none" in refusal(lab, 100)
    assert refusal(lab, 404) == "VM 404 does not exist"
    lab.finish(lab.call("POST", "nodes/pve1/qemu/100/template").ok())
    assert "is a template" in refusal(lab, 100)


def test_a_lab_that_ends_gives_the_files_back(lab: ServedLab) -> None:
    engine = Mounting()
    lab.lab.engine = engine
    with connected(lab) as connection:
        opened(connection, 100)
        lab.stop()
        try:
            assert engine.given_back.wait(PATIENCE_S)
        finally:
            lab.start()
