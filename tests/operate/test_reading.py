"""A refresh that failed halfway: what could not be read stays as it was known."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from event.stack import EventStack
from operate import reading
from operate.deployed import read_export
from operate.engine_errors import is_hopeless
from operate.places import Places
from operate.progress import Tally
from operate.stacks import load
from plan.plan import plan_event
from tests.operate.states import export, urn


@pytest.fixture
def state(places: Places) -> dict[str, Any]:
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    return export(plan_event(stack))


def resource(state: dict[str, Any], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = state["deployment"]["resources"]
    return next(each for each in found if each["urn"].endswith(f"::{name}"))


def test_a_guest_that_was_read_in_part_is_as_before_and_others_are_as_read(
    state: dict[str, Any],
) -> None:
    after = copy.deepcopy(state)
    resource(after, "c01-head")["outputs"] = {"half": "of it"}
    resource(after, "c01-n1")["outputs"] = {"all": "of it"}
    kept = reading.with_unread(state, after, {"c01-head"})
    assert resource(kept, "c01-head") == resource(state, "c01-head")
    assert resource(kept, "c01-n1")["outputs"] == {"all": "of it"}
    assert resource(after, "c01-head")["outputs"] == {"half": "of it"}


class OneRun:
    """A session whose refresh ends with one failure; notes what the engine is told."""

    def __init__(self, after: dict[str, Any]) -> None:
        self.after = after
        self.imported: list[dict[str, Any]] = []
        self.engine = self
        self.stack = type("Ref", (), {"name": "event"})

    def told(self, *words: str, stdin: str) -> str:
        assert words[:2] == ("stack", "import")
        self.imported.append(json.loads(stdin))
        return ""


def test_the_firewall_of_a_machine_that_is_gone_leaves_the_state_with_it(
    state: dict[str, Any],
) -> None:
    rules = {
        "urn": urn("proxmoxve:firewall/rulesLegacy:RulesLegacy", "c01-head-rules"),
        "type": "proxmoxve:firewall/rulesLegacy:RulesLegacy",
        "deletedWith": resource(state, "c01-head")["urn"],
    }
    state["deployment"]["resources"].append(rules)
    assert reading.without_companions(state, state) == state
    gone = copy.deepcopy(state)
    gone["deployment"]["resources"].remove(resource(state, "c01-head"))
    for each in gone["deployment"]["resources"]:
        each.pop("deletedWith", None)  # as the engine writes it when the machine is gone
    kept = reading.without_companions(state, gone)["deployment"]["resources"]
    assert [each["urn"] for each in kept] == [
        each["urn"]
        for each in state["deployment"]["resources"]
        if each["urn"] not in (rules["urn"], resource(state, "c01-head")["urn"])
    ]


@pytest.mark.parametrize("failed", [{"c01-head": "HTTP 595"}, {}])
def test_only_a_run_with_failures_writes_the_state_back(
    state: dict[str, Any], monkeypatch: pytest.MonkeyPatch, failed: dict[str, str]
) -> None:
    after = copy.deepcopy(state)
    resource(after, "c01-head")["outputs"] = {"half": "of it"}
    session: Any = OneRun(after)
    monkeypatch.setattr(reading, "deployed", lambda _: read_export(after))
    monkeypatch.setattr(reading, "engine_run", lambda *_: None)
    reading.read_again(session, read_export(state), [], "reading", Tally(failed=failed))
    assert session.imported == ([state] if failed else [])


@pytest.mark.parametrize(
    ("text", "hopeless"),
    [
        ("HTTP 500 create pool failed: cfs-lock 'file-user_cfg' error: no quorum!", True),
        ("HTTP 500 cluster not ready - no quorum?", True),
        (
            "unable to open file '/etc/pve/nodes/a/qemu-server/1.conf.tmp.9' - Permission denied",
            True,
        ),
        ("unable to open file '/var/lib/vz/images/1' - Permission denied", False),
        ("can't lock file '/var/lock/qemu-server/lock-1.conf' - got timeout", False),
    ],
)
def test_only_a_lost_quorum_takes_the_hope_from_all_that_is_to_come(
    text: str, hopeless: bool
) -> None:
    assert is_hopeless(text) is hopeless
