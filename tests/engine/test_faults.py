"""`up` against a failing cluster: it tells what is done and what is not, and the next one finishes.

Each fault strikes one run of the same small event. The run after it ends as an unbroken one does,
which the lab is asked for, not the engine's state; the third run sends no write.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.engine.ground import fault, picture
from tests.engine.practice import Practice

pytestmark = [pytest.mark.engine, pytest.mark.faults]

CLONE = "/nodes/*/qemu/*/clone"
RULES = "/nodes/*/qemu/*/firewall/rules"
GROUPS = "/cluster/firewall/groups"
LOST = ("drop", "--after", "--method", "POST", "--count", "1", "--path")
FAULTS = {
    "the answer to a clone is lost": (*LOST, CLONE, "--index", "2"),
    "the answer to the pool is lost": (*LOST, "/pools"),
    "the answer to the role is lost": (*LOST, "/access/roles"),
    "the answer to the security group is lost": (*LOST, GROUPS),
    "the answer to a rule of the security group is lost": (*LOST, f"{GROUPS}/*", "--index", "2"),
    "the answer to the rule of the head is lost": (*LOST, RULES),
    "the host of a configuration gets lost": (
        *("status", "--status", "596", "--text", "Broken pipe", "--count", "1"),
        *("--method", "PUT", "--path", "/nodes/*/qemu/*/config"),
    ),
    "a clone fails": ("task-error", "--task", "qmclone", "--text", "no room", "--count", "1"),
    "a start fails": ("task-error", "--task", "qmstart", "--text", "no memory", "--count", "1"),
    "the lock of a guest is held": ("lock-held", "--vmid", "200111"),
    "the quorum is gone": ("no-quorum",),
}


@pytest.fixture(scope="module")
def unbroken(practice: Practice) -> dict[str, Any]:
    """What a run leaves that nothing has disturbed; the event is gone again."""
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    practice.good("up", "laptop")
    there = picture(practice)
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []
    return there


@pytest.mark.parametrize("words", FAULTS.values(), ids=FAULTS.keys())
def test_the_run_after_a_fault_ends_as_if_nothing_had_happened(
    practice: Practice, unbroken: dict[str, Any], words: tuple[str, ...]
) -> None:
    fault(practice, "add", *words)
    broken = practice.run("up", "laptop")
    fault(practice, "clear")
    assert broken.code == 1, broken.texts
    told = broken.summary
    assert told["failed"] or told["errors"]
    assert told["done"] + len(told["undone"]) == told["total"] == 2
    assert re.match(r"\./practicum up ", told["next"])
    practice.good("up", "laptop")
    assert picture(practice) == unbroken
    before = practice.writes()
    assert practice.good("up", "laptop").changes == {}
    assert practice.writes() == before
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []


@pytest.mark.parametrize("writes", [1, 5, 8, 10])
def test_the_run_after_a_kill_finishes_alone(
    practice: Practice, unbroken: dict[str, Any], writes: int
) -> None:
    practice.kill("laptop", after=writes)
    practice.good("up", "laptop")
    assert picture(practice) == unbroken
    before = practice.writes()
    assert practice.good("up", "laptop").changes == {}
    assert practice.writes() == before
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []
