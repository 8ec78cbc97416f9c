"""Rooms import one way: event <- plan <- components <- __main__; the other programs stand alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "event",
    "plan",
    "components",
    "operate",
    "tutoracle",
    "lab",
    "toolchain",
    "image",
    "bench",
)
ALLOWED = {
    "event": {"event"},
    "plan": {"event", "plan"},
    "components": {"plan", "components"},
    "operate": {"event", "plan", "operate"},
    "tutoracle": {"event", "plan", "tutoracle"},
    "lab": {"lab"},
    "toolchain": {"toolchain"},
    "image": {"image"},
}
PULUMI_ROOMS = {"components"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


CASES = [
    pytest.param(room, path, id=str(path.relative_to(ROOT)))
    for room in ALLOWED
    for path in modules(room)
]


@pytest.mark.parametrize(("room", "path"), CASES)
def test_a_room_imports_only_the_rooms_before_it(room: str, path: Path) -> None:
    foreign = {name for name in map(_top, imports(path)) if name in ROOMS} - ALLOWED[room]
    assert not foreign, f"{path.relative_to(ROOT)} may not import {sorted(foreign)}"


@pytest.mark.parametrize(("room", "path"), CASES)
def test_only_components_and_the_program_import_the_engine(room: str, path: Path) -> None:
    engine = {name for name in map(_top, imports(path)) if name.startswith("pulumi")}
    assert not engine or room in PULUMI_ROOMS, f"{path.relative_to(ROOT)} imports {sorted(engine)}"


def test_the_program_that_joins_the_rooms_fits_in_sixty_lines() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= 60


def _top(name: str) -> str:
    return name.split(".", 1)[0]
