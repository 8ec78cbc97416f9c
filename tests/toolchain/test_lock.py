"""Only one build runs at a time, and a dead builder blocks nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from toolchain import lock, pins

_HOLD = """
import sys, pathlib
from toolchain import lock
with lock.held(pathlib.Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], cwd=pins.SOURCES.parent, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _take(path: Path, lines: list[str]) -> None:
    with lock.held(path, lines.append, poll_s=0.02):
        lines.append("mine")


def test_the_second_build_says_whom_it_waits_for_and_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lines: list[str] = []
    with _holder(path) as other:
        waiting = threading.Thread(target=_take, args=(path, lines))
        waiting.start()
        waiting.join(0.3)
        assert lines == [f"another build is running (pid {other.pid}), waiting"]
        other.communicate("")
        waiting.join(10)
    assert lines[-1] == "mine"


def test_a_killed_build_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with _holder(path) as other:
        other.kill()
        other.wait()
    lines: list[str] = []
    _take(path, lines)
    assert lines == ["mine"]


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with lock.held(path, print):
        assert path.read_text() == str(os.getpid())
