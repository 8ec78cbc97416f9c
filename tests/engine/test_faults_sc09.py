"""The tutorial of SC09 under faults: with 131 guests a run that breaks has much to tell.

The table of the small event (test_faults.py); all of it runs by `--sweep` only. Each case starts
from a snapshot, so that 131 guests are made once for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fault_table import CASES
from tests.engine.judge import Judge, sitting
from tests.engine.noted import SWEEP, note, noted
from tests.engine.practice import Practice
from tests.engine.snapshots import Ground
from tests.engine.striking import Fault

pytestmark = [pytest.mark.engine, pytest.mark.faults]

Case = tuple[Fault, str]


def chosen() -> list[Case]:
    """All cases, of each number of the catalogue and verb one first: what counts comes early."""
    before = noted()
    found = [case for case in CASES if f"sc09 {case[1]}: {case[0]}" not in before]
    piles: dict[tuple[str, str], list[Case]] = {}
    for case in found:
        piles.setdefault((case[0].number, case[1]), []).append(case)
    longest = max(map(len, piles.values()), default=0)
    return [pile[turn] for turn in range(longest) for pile in piles.values() if turn < len(pile)]


@pytest.fixture(scope="module")
def judge(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """131 guests on six hosts, on a site with neighbours."""
    practice = Practice(Path(tmp_path_factory.mktemp("faults")))
    yield from sitting(Ground(practice=practice, stack="sc09", large=True))


@pytest.mark.skipif(not SWEEP, reason="131 guests for each case: type ./practicum test --sweep")
@pytest.mark.parametrize(
    ("fault", "verb"),
    [pytest.param(*each, id=f"{each[1]}: {each[0]}") for each in chosen()] if SWEEP else [],
)
def test_a_run_of_131_guests_under_a_fault_tells_and_the_next_one_finishes(
    judge: Judge, fault: Fault, verb: str
) -> None:
    assert judge.under(fault, verb) == []
    note(f"sc09 {verb}: {fault}")
