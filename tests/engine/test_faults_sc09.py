"""The tutorial of SC09 under faults: with 131 guests a run that breaks has much to tell.

As with the small event (test_faults.py), the same table, but three cases by default; a sweep goes
through the table. Each case starts from a snapshot, so that 131 guests are made once for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fault_table import CASES
from tests.engine.judge import Judge, sitting
from tests.engine.practice import Practice
from tests.engine.snapshots import Ground
from tests.engine.striking import Fault

pytestmark = [pytest.mark.engine, pytest.mark.faults]

SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))
ALWAYS = {
    ("up", "the quorum goes in the middle"),
    ("refresh", "a host is down"),
    ("destroy", "a guest is protected"),
}


@pytest.fixture(scope="module")
def judge(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """131 guests on six hosts, on a site with neighbours."""
    practice = Practice(Path(tmp_path_factory.mktemp("faults")))
    yield from sitting(Ground(practice=practice, stack="sc09"))


@pytest.mark.parametrize(
    ("fault", "verb"),
    [
        pytest.param(fault, verb, id=f"{verb}: {fault.name}")
        for fault, verb in CASES
        if SWEEP or (verb, fault.name) in ALWAYS
    ],
)
def test_a_run_of_131_guests_under_a_fault_tells_and_the_next_one_finishes(
    judge: Judge, fault: Fault, verb: str
) -> None:
    assert judge.under(fault, verb) == []
