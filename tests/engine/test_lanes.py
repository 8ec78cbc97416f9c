"""Many clones on one storage, on a lab with Proxmox VE's limits and a clock ten times as fast.

A clone holds its storage for two seconds of the cluster, so ten of them are twice as long as
anybody waits for the lock. The tests of each storage build on one another, in order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.practice import ROOT, Practice, Run

pytestmark = [pytest.mark.engine, pytest.mark.faults]

GUESTS = 10
CLOCK = "0.1"
LIMITS = ("--realistic", "--clone-seconds", "2", "--clock", CLOCK, "--auth-delay", "0.2")
PATIENCE_S = 120
REFUSED = "cfs-lock 'storage-shared' error: got lock request timeout"
LOCAL = {
    "[iso, vztmpl, import, backup, snippets]": "[images, iso, import]",
    'shared:import/debian-12.qcow2", storage: shared': 'local:import/debian-12.qcow2", storage: local',  # noqa: E501
    '"shared:import': '"local:import',
    "pve[01-06]": "pve[01-02]",
}
SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))


@contextmanager
def limited(folder: Path, edits: dict[str, str]) -> Iterator[Practice]:
    """A practice ground whose lab has Proxmox VE's limits."""
    practice = Practice(folder)
    practice.variables["PRACTICUM_LANE_PACE"] = CLOCK
    for old, new in edits.items():
        practice.edit("lab", old, new)
    practice.edit("laptop", "{count: 1}", "{count: 2}")
    practice.edit("laptop", "count: 2, cores: 1", "count: 4, cores: 1")
    for verb in ("start", "stop"):  # which writes the seed
        assert practice.call("lab", verb, str(practice.file("lab"))).returncode == 0
    state = practice.state / "lab" / "lab"
    command = [sys.executable, "-P", "-m", "lab", "serve", "--state", str(state)]
    command += ["--seed", str(state / "seed.json"), "--port", str(practice.ports["lab"]), *LIMITS]
    with (state / "serve.err").open("wb") as errors:
        lab = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert lab.stdout is not None
        assert lab.stdout.readline(), (state / "serve.err").read_text()
        yield practice
    finally:
        practice.close()
        lab.terminate()
        lab.wait()


@pytest.fixture(scope="module")
def shared(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """Six hosts that share a storage."""
    with limited(tmp_path_factory.mktemp("shared"), {}) as practice:
        yield practice


@pytest.fixture(scope="module")
def local(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """Two hosts with a storage each."""
    with limited(tmp_path_factory.mktemp("local"), LOCAL) as practice:
        yield practice


def clones(practice: Practice) -> int:
    return sum(each.startswith("POST") and each.endswith("/clone") for each in practice.writes())


def fault(practice: Practice, *words: str) -> None:
    done = practice.call("lab", "faults", *words, "--lab", str(practice.file("lab")))
    assert done.returncode == 0, done.stdout + done.stderr


def all_there(practice: Practice, run: Run) -> None:
    """The event is complete, and nobody was told of a lock."""
    assert (run.summary["done"], run.summary["failed"]) == (GUESTS, {})
    assert "lock" not in run.texts
    rows = [each for each in practice.guests() if not each["template"]]
    assert len(rows) == GUESTS
    assert all(each["status"] == "running" and "lock" not in each for each in rows)


def test_an_interrupt_ends_a_run_whose_guests_wait_for_their_turn(shared: Practice) -> None:
    shared.good("up", "lab")
    fault(shared, "add", "task-delay", "--task", "qmclone", "--delay", "3")
    process = subprocess.Popen(
        [str(ROOT / "practicum"), "up", str(shared.file("laptop")), "--json", "--parallel", "64"],
        env=shared.environment,
        cwd=shared.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + PATIENCE_S
    while not clones(shared):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert clones(shared) < GUESTS / 2, "those that waited went on"
    last = [json.loads(line) for line in said.splitlines()][-1]
    assert (last["event"], last["result"]) == ("summary", "interrupted")
    fault(shared, "clear")


def test_the_next_run_finishes_with_64_at_once(shared: Practice) -> None:
    all_there(shared, shared.good("up", "laptop", "--parallel", "64"))


def test_a_clone_that_meets_a_lock_of_others_is_tried_again_in_its_turn(
    shared: Practice,
) -> None:
    shared.good("destroy", "laptop")
    clone = ("--task", "qmclone", "--index", "2,3,6")
    fault(shared, "add", "task-error", "--text", REFUSED, *clone)
    all_there(shared, shared.good("up", "laptop", "--parallel", "4"))
    fault(shared, "clear")


def test_storages_of_hosts_have_lanes_of_their_own(local: Practice) -> None:
    all_there(local, local.good("up", "laptop", "--parallel", "64"))


@pytest.mark.skipif(not SWEEP, reason="only in a sweep: every number at once, on both storages")
@pytest.mark.parametrize("parallel", ["4", "8", "16", "32"])
@pytest.mark.parametrize("storage", ["shared", "local"])
def test_no_lock_error_is_told_at_any_number_at_once(
    request: pytest.FixtureRequest, storage: str, parallel: str
) -> None:
    practice: Practice = request.getfixturevalue(storage)
    practice.good("destroy", "laptop")
    all_there(practice, practice.good("up", "laptop", "--parallel", parallel))
