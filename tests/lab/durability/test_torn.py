"""SQLite's log cut in the middle of a page, as by a power cut: what was committed before counts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.store import Store

ROWS = 40
FRAME = 24 + 4096
_WRITER = (
    "import os, sys; from pathlib import Path; from lab.store import Store\n"
    "path = Path(sys.argv[1]); store = Store(path)\n"
    "for number in range(int(sys.argv[2])):\n"
    "    store.put('k', str(number), {'text': 'x' * 700}); store.commit()\n"
    "    print(path.with_name(path.name + '-wal').stat().st_size, flush=True)\n"
    "os.kill(os.getpid(), 9)"
)


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, list[int]]:
    """A database whose writer was killed, and the size of its log after each row."""
    path = tmp_path / "lab.db"
    command = [sys.executable, "-c", _WRITER, str(path), str(ROWS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    return path, [int(line) for line in ended.stdout.split()]


def rows_of_copy(path: Path, name: str, log: bytes) -> list[str]:
    copy = path.with_name(name)
    copy.mkdir()
    shutil.copy(path, copy / "lab.db")
    (copy / "lab.db-wal").write_bytes(log)
    store = Store(copy / "lab.db")
    found = [key for key, _ in store.items("k")]
    store.close()
    return found


def test_a_log_cut_anywhere_keeps_every_row_committed_before_the_cut(
    killed: tuple[Path, list[int]],
) -> None:
    path, sizes = killed
    log = path.with_name("lab.db-wal").read_bytes()
    assert len(log) == sizes[-1]
    for cut in range(sizes[-4] - 10, len(log) + 1, 509):
        found = rows_of_copy(path, f"cut-{cut}", log[:cut])
        assert found == [str(n) for n in range(sum(size <= cut for size in sizes))]


@pytest.mark.parametrize("tail", [b"\0" * FRAME, b"\xff" * (FRAME * 2), b"x" * 100])
def test_what_was_being_written_when_the_power_failed_takes_nothing_with_it(
    killed: tuple[Path, list[int]], tail: bytes
) -> None:
    path, _ = killed
    log = path.with_name("lab.db-wal").read_bytes()
    assert len(rows_of_copy(path, "torn", log + tail)) == ROWS


def test_half_a_page_that_was_overwritten_is_not_taken_for_a_whole_one(
    killed: tuple[Path, list[int]],
) -> None:
    path, sizes = killed
    log = bytearray(path.with_name("lab.db-wal").read_bytes())
    log[-2048:] = b"\0" * 2048
    found = rows_of_copy(path, "half", bytes(log))
    assert found == [str(n) for n in range(len(sizes) - 1)]
