"""Stack outputs: what other programs and people read of a deployed stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from event.read import read_stack
from event.stack import EventStack
from plan.outputs import outputs
from plan.plan import plan_event, plan_site

STACKS = Path(__file__).resolve().parents[2] / "stacks"
NAMES = [path.name.split(".")[1] for path in sorted(STACKS.glob("Pulumi.*.yaml"))]


def told(name: str) -> dict[str, object]:
    stack = read_stack(name, STACKS)
    return outputs(plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack))


@pytest.mark.parametrize("name", NAMES)
def test_outputs_of_every_shipped_stack_are_plain_json(name: str) -> None:
    assert json.loads(json.dumps(told(name))) == told(name)


def test_an_event_tells_its_heads_and_its_demand_against_capacity() -> None:
    found = told("sc09")
    assert found["clusters"]["c07"] == {  # type: ignore[index]
        "head": "198.51.100.17",
        "vlan": 107,
        "subnet": "10.0.7.0/24",
        "guests": 5,
    }
    totals = found["totals"]
    assert totals["cores"] == {"need": 158, "have": 240}  # type: ignore[index]
    assert totals["memoryGib"] == {"need": 79.0, "have": 192.0}  # type: ignore[index]
    assert found["storagesTib"] == {"shared": {"need": 1.02, "have": 3.91}}


def test_a_site_tells_what_it_has_in_all() -> None:
    totals = told("adams-state")["totals"]
    assert totals["cores"]["have"] == 72  # type: ignore[index]
    assert totals["memoryGib"]["have"] == 404.49  # type: ignore[index]
    assert totals["diskTib"]["have"] == 11.82  # type: ignore[index]
