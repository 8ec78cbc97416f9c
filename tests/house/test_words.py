"""One word, one meaning; and nothing of one machine in the project."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VAGUE = {"utils", "util", "common", "helpers", "helper", "lib", "misc"}
ROOMS = ("event", "plan", "components", "operate", "lab", "toolchain", "image", "tests", "bench")


def python_files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in python_files()]
)
def test_no_module_has_a_name_that_says_nothing(path: Path) -> None:
    assert path.stem not in VAGUE
    assert not VAGUE & set(path.relative_to(ROOT).parent.parts)


def test_every_test_module_is_collected() -> None:
    strays = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"^(async )?def test_", path.read_text(), re.M)
        and not path.name.startswith("test_")
    ]
    assert not strays


def test_test_names_are_sentences() -> None:
    short = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") < 3
    ]
    assert not short


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(root|home/[a-z]+)/")
    found = [
        str(path.relative_to(ROOT))
        for path in python_files() + list(ROOT.glob("docs/**/*.md"))
        if path != Path(__file__) and pattern.search(path.read_text())
    ]
    assert not found
