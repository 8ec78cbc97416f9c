"""kill -9 of the program, the engine, the plugin and the lab: the next `up` finishes alone.

By default a seeded sample of moments of a 2 × 3 event; with `--sweep` every request index of it
for every victim, before the work of a request and, for writes, after it, and random moments of the
tutorial of SC09. With `PRACTICUM_SWEEP_DONE=FILE`, moments that have gone well are noted there, and
a later sweep leaves them out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.killing import FIRST, VICTIMS, KillingGround, Point
from tests.engine.noted import SWEEP, note, noted
from tests.engine.practice import Practice

pytestmark = [pytest.mark.faults, pytest.mark.engine]

SEED = 20261125
REQUESTS = 176
"""Of an `up` of the 2 × 3 event, and some more: how often a task is asked for its end differs."""

WRITES = {"POST": 25, "PUT": 19}
SC09_REQUESTS = 2900
SC09_MOMENTS = 40


def every() -> list[Point]:
    """Every moment of the 2 × 3 event."""
    found = []
    for victim in VICTIMS:
        found += [Point(victim=victim, index=each) for each in range(FIRST[victim], REQUESTS + 1)]
        found += [
            Point(victim=victim, index=each, method=method, after=True)
            for method, count in WRITES.items()
            for each in range(1, count + 1)
        ]
    return found


def sample() -> list[Point]:
    """Two moments for each victim, one of them a write whose answer is never sent."""
    chance = random.Random(SEED)
    found = []
    for victim in VICTIMS:
        mine = [each for each in every() if each.victim == victim]
        found.append(chance.choice([each for each in mine if each.after]))
        found.append(chance.choice([each for each in mine if not each.after][:-12]))
    return found


def moments() -> list[Point]:
    """Random moments of the tutorial of SC09."""
    chance = random.Random(SEED)
    found = [
        Point(
            victim=VICTIMS[number % 4], index=chance.randrange(FIRST["plugin"] + 9, SC09_REQUESTS)
        )
        for number in range(SC09_MOMENTS)
    ]
    before = noted()
    return [each for each in found if f"sc09 {each}" not in before]


def points() -> list[Point]:
    """Those of this run, shuffled by the seed: a sweep that is cut off has seen some of all."""
    found = every() if SWEEP else sample()
    if SWEEP:
        random.Random(SEED).shuffle(found)
    before = noted()
    return [each for each in found if f"2x3 {each}" not in before]


def ground_of(folder: Path, event: str) -> Iterator[KillingGround]:
    practice = Practice(folder)
    try:
        if event == "laptop":
            practice.edit("laptop", "clusters: {count: 1}", "clusters: {count: 2}")
        yield KillingGround(practice=practice, event=event, large=event == "sc09")
    finally:
        practice.close()


@pytest.fixture(scope="module")
def small(
    engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KillingGround]:
    """Two clusters of three guests."""
    yield from ground_of(Path(tmp_path_factory.mktemp("kills")), "laptop")


@pytest.fixture(scope="module")
def sc09(
    engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KillingGround]:
    """The tutorial of SC09."""
    yield from ground_of(Path(tmp_path_factory.mktemp("kills-sc09")), "sc09")


def test_the_moments_are_those_of_an_unbroken_run(small: KillingGround) -> None:
    methods = [each["method"] for each in small.requests]
    first = next(number for number, each in enumerate(methods, 1) if each != "GET")
    assert {FIRST["engine"], FIRST["plugin"]} == {first}
    assert {each: methods.count(each) for each in WRITES} == WRITES
    polls = [each for each in small.requests if each["path"].endswith("/status")]
    assert len(methods) - len(polls) < REQUESTS


def survives(ground: KillingGround, point: Point) -> None:
    ground.restore()
    struck = ground.kill(point)
    if point.victim == "lab" and struck:
        ground.answered()
    ground.check()


@pytest.mark.parametrize("point", points(), ids=str)
def test_the_up_after_a_kill_finishes_alone(small: KillingGround, point: Point) -> None:
    survives(small, point)
    note(f"2x3 {point}")


@pytest.mark.skipif(not SWEEP, reason="131 guests for each moment: type ./practicum test --sweep")
@pytest.mark.parametrize("point", moments() if SWEEP else [], ids=str)
def test_the_up_of_sc09_after_a_kill_finishes_alone(sc09: KillingGround, point: Point) -> None:
    survives(sc09, point)
    note(f"sc09 {point}")
