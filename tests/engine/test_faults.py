"""`up`, `refresh` and `destroy` of a small event, each under each fault that makes sense for it.

The run that is struck ends with a list of what is done and what is not, or refuses before its
first write; the next one finishes; the third changes nothing. Whether that is so is asked of the
lab's database, not of the program. By default a sample of the cases runs, the same each time;
`./practicum test faults --sweep` goes through all, and strikes each single request as well.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.each_request import each_request
from tests.engine.fault_table import CASES
from tests.engine.judge import Judge, sitting, told
from tests.engine.noted import SWEEP, note, noted
from tests.engine.oracle import checks
from tests.engine.practice import SECRETS, Practice
from tests.engine.snapshots import Ground
from tests.engine.striking import Fault

pytestmark = [pytest.mark.engine, pytest.mark.faults]

SAMPLE = 16
SEED = 2009
Case = tuple[Fault, str]


def chosen() -> list[Case]:
    """All cases in a sweep; else some of each number of the catalogue, always the same."""
    if SWEEP:
        before = noted()
        every = [*CASES, *each_request()]
        return [(fault, verb) for fault, verb in every if f"laptop {verb}: {fault}" not in before]
    by_number: dict[str, list[Case]] = {}
    for case in CASES:
        by_number.setdefault(case[0].number, []).append(case)
    dice = random.Random(SEED)
    piles = [dice.sample(cases, len(cases)) for cases in by_number.values()]
    dealt = [pile[turn] for turn in range(len(CASES)) for pile in piles if turn < len(pile)]
    return dealt[:SAMPLE]


def in_order(cases: list[Case]) -> list[Case]:
    """`up`, `refresh`, `destroy` in turn, so that most cases find what they start from."""
    piles = [[case for case in cases if case[1] == verb] for verb in ("up", "refresh", "destroy")]
    longest = max(map(len, piles))
    return [pile[turn] for turn in range(longest) for pile in piles if turn < len(pile)]


@pytest.fixture(scope="module")
def judge(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """A cluster of one head and one node, on a site with neighbours."""
    practice = Practice(Path(tmp_path_factory.mktemp("faults")))
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    yield from sitting(Ground(practice=practice, stack="laptop"))


@pytest.mark.parametrize(
    ("fault", "verb"),
    [pytest.param(*each, id=f"{each[1]}: {each[0]}") for each in in_order(chosen())],
)
def test_a_run_under_a_fault_tells_and_the_next_one_finishes(
    judge: Judge, fault: Fault, verb: str
) -> None:
    assert judge.under(fault, verb) == []
    note(f"laptop {verb}: {fault}")


def test_a_second_run_of_a_stack_is_refused_and_the_first_one_finishes(judge: Judge) -> None:
    ground = judge.ground
    ground.back_to("nothing")
    ground.at = ""
    before = ground.rows()
    number = ground.strike("delay", delay=6.0, path="/nodes/*/qemu/*/clone", index="1-2")
    first = ground.begin("up")
    try:
        ground.wait_until_struck(number, process=first)
        second = ground.run("up")
    finally:
        end = ground.ended(first, "up")
    ground.clear()
    assert checks.error_helps(second.code, told(second)) == []
    assert re.search(r"run is in progress|the run seems alive|another run", told(second))
    assert end.code == 0, told(end)
    assert checks.same_end(ground.event, judge.there, ground.rows()) == []
    assert checks.foreign_are_untouched(ground.event, before, ground.rows()) == []


def test_an_event_that_claims_the_numbers_of_another_writes_nothing(judge: Judge) -> None:
    ground = judge.ground
    ground.back_to("there")
    twin = ground.practice.file("twin")
    twin.write_text(SECRETS.sub("", ground.practice.file("laptop").read_text()))
    before = ground.rows()
    ground.mark()
    run = ground.run("up", stack="twin")
    twin.unlink()
    assert checks.error_helps(run.code, told(run)) == []
    assert "laptop" in told(run)
    assert checks.nothing_was_written(ground.requests()) == []
    assert checks.differences("the site", before, ground.rows()) == []


def test_a_stack_file_with_a_mistake_reaches_nobody(judge: Judge) -> None:
    ground = judge.ground
    ground.back_to("there")
    ground.at = ""
    ground.practice.edit("laptop", "count: 1, cores: 1", "count: -1, cores: 1")
    ground.mark()
    run = ground.run("up")
    ground.practice.edit("laptop", "count: -1, cores: 1", "count: 1, cores: 1")
    assert checks.error_helps(run.code, told(run)) == []
    assert "event.nodeGroups.compute.count: -1 is not allowed" in told(run)
    assert ground.requests() == []
