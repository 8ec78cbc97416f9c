"""Whole plans against their goldens: every event in `stacks/`, and those that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from event.read import read_stack
from event.stack import EventStack
from plan.export import event_json
from plan.plan import plan_event
from tests.plan.making import STACKS, check_golden

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "stacks"
SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))


def events(folder: Path) -> list[str]:
    return sorted(
        path.stem.removeprefix("Pulumi.")
        for path in folder.glob("Pulumi.*.yaml")
        if "practicum:event:" in path.read_text(encoding="utf-8")
    )


CASES = [pytest.param(STACKS, name, id=name) for name in events(STACKS)]
ALL = CASES + [pytest.param(SHIPPED, name, id=f"shipped-{name}") for name in events(SHIPPED)]


def plan_text(folder: Path, name: str) -> str:
    stack = read_stack(name, folder)
    assert isinstance(stack, EventStack)
    return compact(event_json(plan_event(stack)))


def compact(plan: dict[str, object]) -> str:
    """One line per guest, host and so on: short, and a difference is seen at a glance."""
    parts = []
    for key, value in plan.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            parts.append(f'"{key}": [\n  {items}\n ]')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


@pytest.mark.parametrize(("folder", "name"), CASES)
def test_a_plan_is_exactly_what_its_golden_says(folder: Path, name: str) -> None:
    check_golden(f"{name}.json", plan_text(folder, name))


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_a_plan_as_json_keeps_to_its_published_schema(folder: Path, name: str) -> None:
    plan = json.loads(plan_text(folder, name))
    jsonschema.Draft202012Validator(SCHEMA).validate(plan)


def test_the_published_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_planning_twice_gives_the_same_plan(folder: Path, name: str) -> None:
    stack = read_stack(name, folder)
    assert isinstance(stack, EventStack)
    assert plan_event(stack) == plan_event(stack)
