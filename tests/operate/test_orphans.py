"""Processes that a killed run has left: known by their command line and stack, ended by number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operate import orphans as module
from operate.orphans import RUN, Orphan, end, orphans, this_run

NOBODY = "4194305.1"
"""A command line that is not there: its number is above all that Linux gives out."""

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Left:
    """Starts processes as a run of a stack would, and ends them after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {
            "PRACTICUM_STACK_FILE": str(folder / "Pulumi.event.yaml"),
            "PULUMI_BACKEND_URL": f"file://{folder}/backend",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *command: str, run: str = NOBODY, **others: str) -> int:
        program = self.folder / name
        if not program.exists():
            program.symlink_to(shutil.which(command[0]) or command[0])
        process = subprocess.Popen(
            # Whoever runs these tests in the background has SIGINT ignored for all below.
            ["env", "--default-signal=INT", str(program), *command[1:]],
            env={**os.environ, **self.variables, RUN: run, **others},
        )
        self.processes.append(process)
        limit = time.monotonic() + 60
        command_line = Path(f"/proc/{process.pid}/cmdline")
        while not command_line.read_bytes().startswith(os.fsencode(program)):
            assert time.monotonic() < limit, "it does not start"
            time.sleep(0.01)
        return process.pid

    def found(self) -> list[int]:
        return [each.pid for each in orphans(self.variables)]


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    made = Left(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def test_an_engine_and_its_plugin_are_found_without_their_command_line(left: Left) -> None:
    plugin = left.start("pulumi-resource-proxmoxve", "sleep", "600")
    engine = left.start("pulumi", "sleep", "600")
    found = orphans(left.variables)
    assert [each.pid for each in found] == [engine, plugin]
    assert [each.is_engine for each in found] == [True, False]
    assert str(found[1]) == f"pulumi-resource-proxmoxve, process {plugin}"


def test_what_runs_for_somebody_who_is_there_stays(left: Left) -> None:
    pid = left.start("pulumi", "sleep", "600", run=this_run())
    assert left.found() == []
    assert [each.pid for each in orphans(left.variables, of_this_run=True)] == [pid]


@pytest.mark.parametrize("name", ["PRACTICUM_STACK_FILE", "PULUMI_BACKEND_URL"])
def test_what_runs_on_another_stack_or_backend_stays(left: Left, name: str) -> None:
    left.start("pulumi", "sleep", "600", **{name: "another"})
    assert left.found() == []


def test_a_later_process_of_the_same_number_is_somebody_else(left: Left) -> None:
    number = os.getpid()
    left.start("pulumi", "sleep", "600", run=f"{number}.1")  # started at another time than we
    assert len(left.found()) == 1


def test_they_are_ended_and_the_engine_is_asked_first(left: Left) -> None:
    left.start("pulumi-resource-proxmoxve", "sleep", "600")
    left.start("pulumi", "sleep", "600")
    end(orphans(left.variables))
    assert left.found() == []
    plugin, engine = left.processes
    assert (engine.wait(), plugin.wait()) == (-2, -15)


def test_who_does_not_listen_is_killed(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GIVE_UP_S", 0.2)
    left.start("pulumi-resource-proxmoxve", sys.executable, "-c", DEAF)
    limit = time.monotonic() + 60
    while "S" not in Path(f"/proc/{left.processes[0].pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < limit
        time.sleep(0.01)
    end(orphans(left.variables))
    assert left.found() == []


def test_a_number_that_was_given_to_another_process_is_not_ended(left: Left) -> None:
    pid = left.start("pulumi", "sleep", "600", run=this_run())
    end([Orphan(pid=pid, started="1", name="pulumi", is_engine=True)])
    assert left.processes[0].poll() is None
