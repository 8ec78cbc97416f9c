"""Programs of a build end with it, whoever ends it, and what they mount is theirs alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image import confined
from image.build import missing
from tests.image.conftest import ROOT, cannot

pytestmark = pytest.mark.image
END_S = 20
BUILD = """
import os, signal, sys
from pathlib import Path
from image import confined

def stop(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
folder = Path(sys.argv[1])
try:
    confined.run(["sh", "-c", sys.argv[2], "sh", str(folder)], folder / "log", os.environ)
except KeyboardInterrupt:
    sys.exit(130)
"""
# Two processes that know the folder, one of which has left its parent, and a mount.
PROGRAM = """
mkdir "$1/place" && mount -t tmpfs none "$1/place" && touch "$1/place/seen" || exit
setsid sh -c 'sleep 600; :' "$1" &
touch "$1/begun"
sleep 600
"""


@pytest.fixture(autouse=True)
def _able() -> None:
    if reason := missing():
        cannot(reason)


def at_work(folder: Path) -> list[str]:
    """Processes whose command line names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in text:
            found.append(text.replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_nothing_goes_on_when_the_build_is_ended(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-c", BUILD, str(tmp_path), PROGRAM]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as build:
        until = time.monotonic() + END_S
        while not (tmp_path / "begun").exists():
            assert build.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        assert len(at_work(tmp_path)) >= 3
        assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
        assert list((tmp_path / "place").iterdir()) == []
        build.send_signal(number)
        assert build.wait(END_S) == code
    if number == signal.SIGKILL:  # then the kernel does it, after the fact
        while at_work(tmp_path) and time.monotonic() < until + END_S:
            time.sleep(0.02)
    assert at_work(tmp_path) == []


def test_the_log_has_what_a_program_says_and_its_exit_code_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    assert confined.run(["sh", "-c", "echo out; echo err >&2; exit 7"], log, os.environ) == 7
    assert log.read_text() == "before\nout\nerr\n"
