"""The engine hands configuration over with sorted keys; the order of keys decides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from event.read import read_stack
from event.stack import EventStack
from plan.digest import plan_digest
from plan.plan import plan_event, plan_site

STACKS = Path(__file__).resolve().parents[2] / "stacks"
NAMES = [path.name.split(".")[1] for path in sorted(STACKS.glob("Pulumi.*.yaml"))]


def digest(name: str, config: dict[str, Any] | None) -> str:
    stack = read_stack(name, STACKS, config=config)
    return plan_digest(plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack))


def decoded(name: str, *, turned: bool, title: str | None = None) -> dict[str, Any]:
    """A stack's configuration as an engine could decode it, keys forwards or backwards."""
    # "on" is a boolean to PyYAML and a text to the engine.
    text = (STACKS / f"Pulumi.{name}.yaml").read_text().replace(" on: ", ' "on": ')
    config = json.loads(json.dumps(yaml.safe_load(text)["config"], sort_keys=True))
    if title is not None:
        for section in config.values():
            section["title"] = title
    return _turned(config) if turned else config  # type: ignore[no-any-return]


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return value


@pytest.mark.parametrize("turned", [False, True], ids=["sorted", "reversed"])
@pytest.mark.parametrize("name", NAMES)
def test_what_the_engine_decoded_gives_the_same_plan_as_the_file(name: str, turned: bool) -> None:
    assert digest(name, decoded(name, turned=turned)) == digest(name, None)


@pytest.mark.parametrize("name", ["laptop", "sc09", "adams-class"])
def test_configuration_from_elsewhere_gives_one_plan_in_any_order(name: str) -> None:
    first = digest(name, decoded(name, turned=False, title="Another"))
    assert first == digest(name, decoded(name, turned=True, title="Another"))
