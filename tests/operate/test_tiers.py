"""Tiers that do not look at the whole machine run beside each other where there are two cores."""

from __future__ import annotations

from pathlib import Path

from operate.places import Places
from operate.tiers import LANES, MARKED, TIERS, read_report, rounds

PLACES = Places(root=Path("/checkout"), state=Path("/state"))


def names(tiers: list[str], cores: int) -> list[list[list[str]]]:
    return [
        [[tier for tier, _ in lane] for lane in lanes]
        for lanes in rounds(tiers, PLACES, cores=cores)
    ]


def test_everything_that_is_asked_for_runs_once() -> None:
    for cores in (1, 2):
        ran = [tier for lanes in names(list(TIERS), cores) for lane in lanes for tier in lane]
        assert sorted(set(ran)) == sorted(TIERS)
        assert [tier for tier in ran if tier != "unit"] == [
            *(tier for tier in TIERS if tier not in (*LANES[0], *LANES[1], "unit")),
            *LANES[0],
            *LANES[1],
        ]


def test_the_lanes_run_at_once_after_the_tiers_that_want_the_machine_for_themselves() -> None:
    assert names(list(TIERS), 2)[-1] == [list(lane) for lane in LANES]
    assert all(len(lanes) == 1 for lanes in names([*MARKED], 1))


def test_a_single_tier_runs_alone() -> None:
    assert names(["faults"], 2) == [[["faults"]]]
    assert names(["guests"], 2) == [[["guests"]]]


def test_a_report_tells_passed_failed_and_why_something_was_skipped() -> None:
    counts = read_report(
        "<testsuites><testsuite><testcase/><testcase><failure/></testcase><testcase><error/>"
        '</testcase><testcase><skipped message="no\n LXC"/></testcase></testsuite></testsuites>'
    )
    assert str(counts) == "1 passed, 2 failed, 1 skipped"
    assert counts.reasons == {"no LXC": 1}
