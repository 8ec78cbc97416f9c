"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 45


def tracked(*patterns: str) -> list[Path]:
    """Files that belong to the project: tracked by git, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


SOURCES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in tracked("*.py", "*.go")]
PYTHON = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in tracked("*.py")]


@pytest.mark.parametrize("path", SOURCES)
def test_no_file_is_over_four_hundred_lines(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE_LINES, f"{lines} lines: split it by noun"


@pytest.mark.parametrize("path", PYTHON)
def test_every_function_fits_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name}: {lines} lines"


@pytest.mark.parametrize("path", PYTHON)
def test_every_module_says_what_it_promises(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "no module docstring"
