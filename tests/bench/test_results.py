"""What a result says of itself, and how results are merged into one document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import spread
from bench.results import Arm, Result, Target, merge

CONTEXT = {
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
    "repeats": 3,
}


def result(*, limit: float | None = 1.5, of: str = "bound", figure: float = 3.0) -> Result:
    return Result(
        id="engine.up",
        what="up | 26 clusters",
        unit="s",
        figure=spread([figure, figure + 1, figure - 1]),
        bound=Arm(what="floor program", spread=spread([2.0])),
        peer=Arm(what="none: there is none"),
        target=Target(limit=limit, of=of) if limit else None,
        more={"practicum": {"CPU s": 1.25}, "floor": {"state MiB": 2.0}},
    )


def test_a_target_on_the_ratio_is_met_up_to_its_limit() -> None:
    data = result(limit=1.5).as_data()
    assert data["bound"]["ratio"] == 1.5
    assert data["target"] == {"limit": 1.5, "of": "bound", "met": True}
    assert result(limit=1.49).as_data()["target"]["met"] is False


def test_a_target_on_the_figure_ignores_the_bound() -> None:
    assert result(limit=3.0, of="figure").as_data()["target"]["met"] is True
    assert result(limit=2.9, of="figure").as_data()["target"]["met"] is False


def test_a_target_on_a_bound_that_was_not_measured_is_refused() -> None:
    unmeasured = Result(
        id="x",
        what="x",
        unit="s",
        figure=spread([1.0]),
        bound=Arm(what="none"),
        peer=Arm(what="none"),
        target=Target(limit=1, of="bound"),
    )
    with pytest.raises(ValueError, match="not measured"):
        unmeasured.as_data()


def test_a_missing_peer_keeps_its_reason() -> None:
    assert result().as_data()["peer"] == {"what": "none: there is none", "spread": None}


def test_floats_are_cut_to_four_digits() -> None:
    assert result(figure=3.14159265).as_data()["figure"]["median"] == 3.142


def test_a_new_run_replaces_only_its_own_bench(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    merge(path, "engine", [result()], CONTEXT)
    merge(path, "plan", [result(), result()], CONTEXT)
    merge(path, "engine", [result(figure=9.0)], CONTEXT)
    document = json.loads(path.read_text())
    assert list(document["benches"]) == ["engine", "plan"]
    assert len(document["benches"]["plan"]["results"]) == 2
    assert document["benches"]["engine"]["results"][0]["figure"]["median"] == 9.0
    assert document["benches"]["engine"]["machine"]["cores"] == 2
