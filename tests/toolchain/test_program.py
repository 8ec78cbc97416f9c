"""Small programs of ours: compiled once, again when a source has changed, never half."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain import places
from toolchain.problems import ToolchainError
from toolchain.program import program

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n\ngo 1.22\n")
    (folder / "main.go").write_text('package main\n\nfunc main() { println("hello") }\n')
    return folder


def test_a_folder_without_a_module_is_refused(tmp_path: Path) -> None:
    cache = places.current(tmp_path / "toolchain")
    with pytest.raises(ToolchainError, match=r"has no go\.mod"):
        program(tmp_path, cache, say=lambda _: None)


@pytest.mark.wire
def test_it_is_compiled_once_and_again_after_a_change(source: Path, tmp_path: Path) -> None:
    cache = places.current(tmp_path / "toolchain")
    said: list[str] = []
    first = program(source, cache, say=said.append)
    assert said
    made = first.stat().st_mtime_ns
    assert program(source, cache, say=said.append).stat().st_mtime_ns == made
    (source / "main.go").write_text('package main\n\nfunc main() { println("bye") }\n')
    again = program(source, cache, say=said.append)
    done = subprocess.run([str(again)], capture_output=True, text=True, check=True)
    assert done.stderr == "bye\n"


@pytest.mark.wire
def test_what_does_not_compile_leaves_the_program_that_was_there(
    source: Path, tmp_path: Path
) -> None:
    cache = places.current(tmp_path / "toolchain")
    first = program(source, cache, say=lambda _: None)
    (source / "main.go").write_text("package main\n\nfunc main() { nothing }\n")
    with pytest.raises(ToolchainError, match="does not compile"):
        program(source, cache, say=lambda _: None)
    assert subprocess.run([str(first)], capture_output=True, check=False).returncode == 0
    assert [each.name for each in first.parent.glob(".*")] == []


@pytest.mark.wire
def test_mount_nfs_passes_its_own_tests() -> None:
    done = subprocess.run(
        ["go", "test", "./..."],
        cwd=ROOT / "lab" / "mount-nfs",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
