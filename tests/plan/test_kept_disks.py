"""Disks that others made larger: the plan takes their size, and what was written stays known."""

from __future__ import annotations

from pathlib import Path

import pytest

from event.read import read_stack
from event.stack import EventStack
from plan.kept_disks import as_text, from_text, with_kept_disks, written_disks
from plan.plan import plan_event
from plan.records import EventPlan

STACKS = Path(__file__).resolve().parents[2] / "stacks"


@pytest.fixture(scope="module")
def plan() -> EventPlan:
    stack = read_stack("sc09", STACKS)
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def test_only_the_named_guests_get_their_larger_disks(plan: EventPlan) -> None:
    kept = with_kept_disks(plan, {"c07-n1": 20, "instructor": 30, "c08-n1": 1, "gone": 99})
    before = {guest.name: guest for guest in plan.guests}
    differing = {guest.name: guest.disk_gib for guest in kept.guests if guest != before[guest.name]}
    assert differing == {"c07-n1": 20, "instructor": 30}
    assert with_kept_disks(plan, {}) is plan


def test_sizes_pass_through_a_variable(plan: EventPlan) -> None:
    assert from_text(as_text({"c07-n1": 20})) == {"c07-n1": 20}
    assert (as_text({}), from_text("")) == ("", {})


def test_written_sizes_are_told_in_few_words(plan: EventPlan) -> None:
    assert written_disks(plan.guests) == {"*": 8}
    larger = with_kept_disks(plan, {"c07-n1": 20})
    assert written_disks(larger.guests) == {"*": 8, "c07-n1": 20}
    assert written_disks(()) == {}
