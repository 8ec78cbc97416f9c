"""The bench of many clones: what bounds it, and what its results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import options, section
from bench.clones import CLONE_S, WITHOUT_LANES, Built, Figures, lock_bound_s, results
from bench.stacks import ROOT, Size, replaced, write_stacks

BUILT = Built(clones_s=110.0, all_s=120.0, runs=1, failed=0, refused=0)
NAIVE = Built(clones_s=160.0, all_s=190.0, runs=4, failed=90, refused=7)
FREE = Built(clones_s=20.0, all_s=25.0, runs=1, failed=0, refused=0)


@pytest.mark.parametrize(
    ("clusters", "local", "busiest"), [(26, False, 131), (26, True, 9), (130, True, 41)]
)
def test_the_bound_is_the_busiest_storages_time(
    tmp_path: Path, clusters: int, local: bool, busiest: int
) -> None:
    write_stacks(tmp_path, Size(clusters=clusters, at_hosts=16, local=local))
    assert lock_bound_s(tmp_path) == pytest.approx(busiest * CLONE_S)


def test_the_naive_program_is_this_one_without_its_hooks() -> None:
    text = (ROOT / "__main__.py").read_text()
    assert "turns(event)" not in replaced(text, WITHOUT_LANES)


def test_a_shared_storage_is_held_against_its_lock_alone() -> None:
    figures = Figures(lanes=[BUILT], naive=[NAIVE], free=[BUILT])
    clones, whole = results(Size(clusters=26, at_hosts=16), 104.8, figures)
    assert clones.id == "clones.shared.131"
    assert clones.measured == pytest.approx(110 / 104.8)
    assert clones.more["naive"] == {"failed clones": 90, "runs": 4}
    assert (whole.figure.median, whole.peer.spread and whole.peer.spread.median) == (120, 190)


def test_storages_of_hosts_are_held_against_the_engine_where_that_is_slower() -> None:
    figures = Figures(lanes=[BUILT], naive=[NAIVE], free=[FREE])
    clones, _ = results(Size(clusters=26, at_hosts=16, local=True), 7.2, figures)
    assert clones.id == "clones.local.131"
    assert clones.bound.spread is not None
    assert clones.bound.spread.median == 20


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["clones"], "clones"),
        (["clones", "--big"], "clones-big"),
        (["clones", "--big", "--storage", "local"], "clones-big-local"),
        (["engine", "--big"], "engine-big"),
    ],
)
def test_what_is_measured_apart_has_results_of_its_own(arguments: list[str], name: str) -> None:
    assert section(options(arguments)) == name


def test_only_the_bench_of_clones_has_a_choice_of_storage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        options(["engine", "--storage", "local"])
    assert "--storage: only clones has it" in capsys.readouterr().err
