"""Locks of the engine: alive ones stop a run, those of dead runs are seen as such."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from operate import locks as module
from operate.locks import locks, unreadable


def put(folder: Path, *, pid: int, host: str | None = None, stack: str = "sc09") -> None:
    path = folder / ".pulumi" / "locks" / "organization" / "practicum" / stack
    path.mkdir(parents=True)
    body = {
        "pid": pid,
        "username": "ada",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-25T16:00:00.123456789Z",
    }
    (path / "1-2-3.json").write_text(json.dumps(body))


def test_a_lock_tells_who_holds_it_since_when(tmp_path: Path) -> None:
    put(tmp_path, pid=77, host="elsewhere")
    (lock,) = locks(f"file://{tmp_path}", "sc09")
    assert str(lock) == "ada@elsewhere, process 77, since 2026-11-25 16:00:00"
    assert not lock.is_stale  # nobody here can know


def test_a_lock_of_a_process_that_is_gone_is_stale(tmp_path: Path) -> None:
    put(tmp_path, pid=2**22 + 1)
    assert locks(f"file://{tmp_path}", "sc09")[0].is_stale


def test_a_number_that_another_program_has_now_is_stale(tmp_path: Path) -> None:
    put(tmp_path, pid=os.getpid())
    assert locks(f"file://{tmp_path}", "sc09")[0].is_stale


def test_a_lock_of_a_running_engine_is_not_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, pid=os.getpid())
    monkeypatch.setattr(module, "_is_engine", lambda pid: pid == os.getpid())
    assert not locks(f"file://{tmp_path}", "sc09")[0].is_stale


def test_an_engine_that_was_killed_is_gone_though_its_parent_has_not_asked_yet(
    tmp_path: Path,
) -> None:
    named = tmp_path / "pulumi"
    named.symlink_to(shutil.which("sleep") or "sleep")
    process = subprocess.Popen([str(named), "60"])
    put(tmp_path, pid=process.pid)
    (lock,) = locks(f"file://{tmp_path}", "sc09")
    assert not lock.is_stale
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lock.is_stale
    process.wait()


def test_other_stacks_other_backends_and_torn_files_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, pid=1, stack="laptop")
    assert locks(f"file://{tmp_path}", "sc09") == []
    assert locks("s3://bucket", "laptop") == []
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    assert locks(f"file://{tmp_path}", "laptop") == []


def test_locks_that_a_power_cut_has_torn_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path, pid=1)
    backend = f"file://{tmp_path}"
    assert unreadable(backend, "sc09") == []
    (path,) = tmp_path.rglob("*.json")
    for torn in ("", "{", "[]", "{}", '{"pid": null}'):
        path.write_text(torn)
        assert unreadable(backend, "sc09") == [path]
    assert unreadable(backend, "laptop") == unreadable("s3://bucket", "sc09") == []
