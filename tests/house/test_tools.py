"""Style and types are tests: one command proves them with everything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TYPED = ("event", "plan", "components", "operate", "lab", "toolchain", "image", "bench", "tests")


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_is_content() -> None:
    run("ruff", "check", "--no-cache", ".")


def test_the_formatter_would_change_nothing() -> None:
    run("ruff", "format", "--no-cache", "--check", ".")


def test_the_type_checker_is_content() -> None:
    run("mypy", *(room for room in TYPED if (ROOT / room).is_dir()), "__main__.py")
