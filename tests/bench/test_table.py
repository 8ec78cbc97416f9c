"""Tables are made from the document alone, and the committed page is in step with it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from bench.table import markdown, number, rows, terminal

FOLDER = Path(__file__).resolve().parents[2] / "bench"
SPREAD = {"median": 3.25, "iqr": 0.5, "low": 3.0, "high": 4.0, "runs": 7}
BENCH = {
    "date": "2026-11-25",
    "machine": {
        "cores": 2,
        "memoryGib": 23.0,
        "processor": "a processor",
        "kernel": "Linux 6",
        "loadBefore": 0.5,
        "loadAfter": 1.5,
    },
    "versions": {"python": "3.11"},
    "seeds": {"PYTHONHASHSEED": "0"},
    "repeats": 7,
    "results": [
        {
            "id": "engine.up",
            "what": "up | all",
            "unit": "s",
            "figure": SPREAD,
            "bound": {"what": "floor", "spread": SPREAD, "ratio": 1.0},
            "peer": {"what": "none: there is none", "spread": None},
            "target": {"limit": 1.5, "of": "bound", "met": True},
            "more": {"floor": {"CPU s": 1.25}, "practicum": {"state MiB": 1040.0}},
        }
    ],
}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2789, "0.279"), (13.52, "13.5"), (1040.4, "1040"), (999.7, "1000"), (0, "0"), (131, "131")],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_a_row_has_figure_bound_peer_and_target() -> None:
    assert list(rows(BENCH)) == [
        (
            "up | all",
            "3.25 s (0.5)",
            "floor: 3.25 s",
            "1",
            "none: there is none",
            "",
            "≤ 1.5 × bound",
            "yes",
        )
    ]


def test_a_single_run_is_said_to_be_one() -> None:
    once = {**BENCH["results"][0], "figure": {**SPREAD, "runs": 1}}  # type: ignore[index]
    assert next(rows({"results": [once]}))[1] == "3.25 s (one run)"


def test_every_line_of_a_markdown_table_has_the_same_columns() -> None:
    page = markdown({"benches": {"engine": BENCH}})
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_the_page_tells_machine_versions_and_seeds() -> None:
    page = markdown({"benches": {"engine": BENCH}})
    for text in ("2 cores", "23 GiB", "python 3.11", "PYTHONHASHSEED 0", "7 repeats"):
        assert text in page


def test_the_terminal_shows_the_same_cells() -> None:
    console = Console(file=io.StringIO(), width=250, color_system=None)
    console.print(terminal("engine", BENCH))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(cell in shown for cell in next(rows(BENCH)))


@pytest.mark.skipif(not (FOLDER / "results.json").exists(), reason="nothing was measured yet")
def test_the_committed_page_is_the_one_of_the_committed_results() -> None:
    document = json.loads((FOLDER / "results.json").read_text())
    assert (FOLDER / "RESULTS.md").read_text() == markdown(document)
