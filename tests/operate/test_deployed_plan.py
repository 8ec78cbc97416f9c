"""What is deployed, read backwards from the engine's state, compares with a plan as it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from event.stack import EventStack
from operate.deployed import read_export
from operate.deployed_plan import plan_before
from operate.places import ROOT, Places
from operate.stacks import load
from plan.compare import Comparison, compare
from plan.plan import plan_event
from plan.records import EventPlan
from tests.operate.states import SECRET, export

SHIPPED = ("laptop", "sc09", "ncar-sc09", "adams-class")


def planned(name: str, places: Places | None = None) -> EventPlan:
    stack = load(name, places or Places(root=ROOT, state=ROOT))
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def compared(state: dict[str, Any], plan: EventPlan) -> Comparison:
    return compare(plan_before(read_export(state), plan), plan)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_event_that_is_deployed_as_planned_differs_in_nothing(name: str) -> None:
    plan = planned(name)
    comparison = compared(export(plan), plan)
    assert comparison.nothing, comparison
    assert comparison.before == comparison.after


def test_a_state_with_an_encrypted_start_up_still_compares(places: Places) -> None:
    plan = planned("event", places)
    state = export(plan)
    for resource in state["deployment"]["resources"]:
        if "initialization" in resource.get("inputs", {}):
            resource["inputs"]["initialization"] = SECRET
    assert compared(state, plan).nothing


def test_edits_are_told_in_the_events_terms(places: Places) -> None:
    plan = planned("event", places)
    state = export(plan)
    path = places.stacks / "Pulumi.event.yaml"
    path.write_text(
        path.read_text()
        .replace("count: 2}", "count: 3, retire: [1]}")
        .replace("count: 1}", "count: 1, memoryMib: 640}")
    )
    comparison = compared(state, planned("event", places))
    assert comparison.clusters_added == ("c03",)
    assert comparison.clusters_removed == ("c01",)
    kinds = {change.name: change.kind for change in comparison.guests}
    assert kinds["c02-n1"] == "changed"
    assert kinds["c01-head"] == "removed"
    assert kinds["c03-head"] == "added"
    assert "c02-head" not in kinds
    assert comparison.vlans_freed == (101,)
    assert comparison.vlans_used == (103,)


def test_a_closed_firewall_rule_is_seen(places: Places) -> None:
    plan = planned("event", places)
    opened = replace(plan.security_group, rules=plan.security_group.rules[:-1])
    comparison = compared(export(plan), replace(plan, security_group=opened))
    assert len(comparison.rules) == 1
    assert comparison.rules[0].closed


def test_a_disk_that_would_grow_on_a_linked_clone_is_refused(places: Places) -> None:
    state = export(planned("event", places))
    path = places.stacks / "Pulumi.event.yaml"
    path.write_text(path.read_text().replace("count: 1}", "count: 1, diskGib: 16}"))
    (refusal,) = compared(state, planned("event", places)).refusals
    assert "c01-n1 and 1 more" in str(refusal)


def test_a_state_without_guests_is_a_plan_without_guests(places: Places) -> None:
    plan = planned("event", places)
    before = plan_before(read_export({"deployment": {}}), plan)
    assert (before.clusters, before.totals.guests) == ((), 0)


def test_resources_that_wait_for_deletion_do_not_count(places: Places) -> None:
    plan = planned("event", places)
    state = export(plan)
    for resource in state["deployment"]["resources"]:
        resource["delete"] = True
    assert read_export(state).guests == ()
