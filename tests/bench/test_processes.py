"""What is measured of a program that runs: time, memory, the processes below it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.processes import BenchError, below, run, usage_of
from bench.programs import by_role, role

SPIN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])"


def start(code: str, folder: Path, **options: float | bool) -> object:
    return run([sys.executable, "-c", code], folder=folder, variables={}, **options)  # type: ignore[arg-type]


def test_cpu_time_counts_children_that_were_waited_for(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", CHILD], folder=tmp_path, variables={}, watch=True)
    assert 0.5 <= done.cpu_s < 3
    assert done.wall_s > 0.5
    assert sum(part.cpu_s for part in done.parts.values()) <= done.cpu_s + 0.05
    assert max(part.peak_mib for part in done.parts.values()) > 3


def test_output_comes_back_whole(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "print('x' * 300_000)"], folder=tmp_path, variables={})
    assert len(done.output) == 300_001


def test_a_failed_program_tells_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="it broke"):
        start("import sys; sys.exit('it broke')", tmp_path)


def test_a_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"stopped after 0\.5 s"):
        start("import time; time.sleep(60)", tmp_path, limit_s=0.5)


def test_a_process_that_is_gone_has_no_usage() -> None:
    assert usage_of(2**22 + 1) is None
    own = usage_of(os.getpid())
    assert own is not None
    assert own[2] > 5
    assert os.getpid() in below(os.getpid())


def test_a_process_that_ends_while_it_is_looked_at_has_nothing_below_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(*_: object) -> list[Path]:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "glob", gone)
    assert below(os.getpid()) == [os.getpid()]


def test_processes_of_the_engine_have_their_roles() -> None:
    names = ("pulumi", "pulumi-resource", "pulumi-language", "python3", "python3.11", "git")
    assert [role(name) for name in names] == [
        "engine",
        "provider",
        "language host",
        "program",
        "program",
        "git",
    ]
    assert by_role({}) == {}
