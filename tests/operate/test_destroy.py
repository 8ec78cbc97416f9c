"""What the engine takes for deleted and is still there goes with the run that took it for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from event.stack import EventStack
from operate import destroy
from operate.api import Api
from operate.deployed import Deployed, read_export
from operate.progress import Tally
from plan.plan import plan_event
from tests.operate.stand_in import TOKEN, StandIn
from tests.operate.states import export


@pytest.fixture
def state(stack: EventStack) -> Deployed:
    return read_export(export(plan_event(stack)))


@dataclass
class AnyOutcome:
    """The end of a run that has said what it took for done."""

    tally: Tally
    ok: bool = True
    session: Any = None


def left(state: Deployed, stack: EventStack, port: int, done: set[str]) -> list[str]:
    api = Api(f"https://127.0.0.1:{port}", TOKEN, insecure=True)
    outcome: Any = AnyOutcome(Tally(done=done))
    return [each.path for each in destroy._left(state, outcome, stack, api)]


def put(server: StandIn, vmid: int, tags: str) -> None:
    row = {"type": "qemu", "vmid": vmid, "node": "pve01", "name": "c01-head", "tags": tags}
    server.answers["/cluster/resources"].append(row)
    server.answers[f"/nodes/pve01/qemu/{vmid}/config"] = {"description": ""}


def test_a_guest_that_counts_as_deleted_and_is_there_is_left(
    state: Deployed, stack: EventStack, site_api: StandIn, port: int
) -> None:
    put(site_api, 100101, "c01;event;practicum")
    assert left(state, stack, port, {"c01-head"}) == ["/nodes/pve01/qemu/100101"]


def test_a_guest_that_failed_and_one_that_is_somebodys_now_are_not(
    state: Deployed, stack: EventStack, site_api: StandIn, port: int
) -> None:
    put(site_api, 100101, "c01;event;practicum")
    assert left(state, stack, port, set()) == []
    site_api.answers["/cluster/resources"].pop()
    put(site_api, 100101, "mail")
    assert left(state, stack, port, {"c01-head"}) == []


def test_an_api_that_fails_leaves_the_question_to_the_next_run(
    state: Deployed, stack: EventStack, site_api: StandIn, port: int
) -> None:
    site_api.answers["/cluster/resources"] = (596, "Connection timed out")
    assert left(state, stack, port, {"c01-head"}) == []
