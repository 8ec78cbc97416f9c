"""Progress says where the work is and learns how fast the machine is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from toolchain import progress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59, "59s"), (80, "1m20s"), (3600, "1h00m"), (3900, "1h05m")]
)
def test_a_span_is_short(seconds: float, text: str) -> None:
    assert progress.span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "10s"), (44, "40s"), (250, "4m"), (3599, "60m"), (5400, "1h30m")]
)
def test_an_estimate_is_rough(seconds: float, text: str) -> None:
    assert progress.rough(seconds) == text


def _at(clock: list[float], lines: list[str]) -> progress.Progress:
    return progress.Progress(expected_s=[60, 120], say=lines.append, clock=lambda: clock[0])


def test_a_slow_first_step_makes_the_estimate_longer() -> None:
    clock, lines = [100.0], list[str]()
    work = _at(clock, lines)
    work.begin("first")
    clock[0] += 120
    work.begin("second")
    assert lines == [
        "building first (1 of 2), 0s of about 3m",
        "building second (2 of 2), 2m00s of about 5m",
    ]


def test_the_estimate_is_never_shorter_than_what_has_passed() -> None:
    clock, lines = [0.0], list[str]()
    work = _at(clock, lines)
    work.begin("first")
    clock[0] = 90.0
    work.tick()
    assert lines[-1] == "building first (1 of 2), 1m30s of about 4m"


def test_a_line_comes_every_ten_seconds_and_not_more_often() -> None:
    clock, lines = [0.0], list[str]()
    work = _at(clock, lines)
    work.begin("first")
    for _ in range(40):
        clock[0] += 1
        work.tick()
    assert len(lines) == 5


def test_output_goes_to_the_log_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    work = progress.Progress(expected_s=[1], say=lambda _: None)
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    command = [sys.executable, "-c", code]
    log = tmp_path / "log"
    assert progress.run(command, cwd=tmp_path, env=os.environ, log=log, progress=work) == 7
    assert set(log.read_text().split()) == {"out", "err"}
