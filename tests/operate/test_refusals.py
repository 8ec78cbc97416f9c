"""What an event's token may not do or see is found before the first write, with its path."""

from __future__ import annotations

from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack, SiteStack
from operate.api import Api
from operate.deployed import Deployed, read_export
from operate.places import Places
from operate.preflight import PreflightError
from operate.refusals import (
    hidden_guests,
    hidden_text,
    missing,
    stop_if_changed_hands,
    stop_if_events_are_up,
    stop_if_refused,
)
from operate.stacks import load
from operate.survey import survey
from plan.plan import plan_event, plan_site
from plan.records import Right
from tests.operate.stand_in import StandIn
from tests.operate.states import TYPES, urn

POOL = Right(
    path="/pool/practicum-event", role="r", privileges=("VM.Audit", "VM.Clone"), propagate=False
)
POOL_TYPE = "proxmoxve:index/poolLegacy:PoolLegacy"
SEES_ALL = {"/vms": {"VM.Audit": 1}}


@pytest.fixture
def site_api(site_api: StandIn) -> StandIn:
    site_api.answers["/access/permissions"] = {POOL.path: {"VM.Audit": 0}}
    return site_api


@pytest.fixture
def stack(places: Places) -> EventStack:
    return listed(places, "[event]")


def deployed_of(*vmids: int, pool: bool = False) -> Deployed:
    """A state with guests c01-100101, … and perhaps the pool practicum-event."""
    rows: list[dict[str, Any]] = [
        {
            "urn": urn(TYPES["vm"], f"c01-{vmid}"),
            "type": TYPES["vm"],
            "inputs": {"vmId": vmid, "name": f"c01-{vmid}"},
        }
        for vmid in vmids
    ]
    if pool:
        inputs = {"poolId": "practicum-event"}
        rows.append({"urn": urn(POOL_TYPE, "pool"), "type": POOL_TYPE, "inputs": inputs})
    return read_export({"deployment": {"resources": rows}})


def listed(places: Places, events: str) -> EventStack:
    path = places.stacks / "Pulumi.site.yaml"
    lines = [line for line in path.read_text().splitlines() if "events:" not in line]
    path.write_text("\n".join([*lines, f"    events: {events}", ""]))
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    return stack


def test_a_right_that_does_not_propagate_is_one_all_the_same(api: Api) -> None:
    assert missing(api, [POOL]) == [("/pool/practicum-event", "VM.Clone")]


def test_what_is_missing_is_named_with_its_path_and_what_to_type(
    stack: EventStack, api: Api
) -> None:
    with pytest.raises(PreflightError) as refused:
        stop_if_refused(stack, stack.site, api, [POOL])
    text = str(refused.value)
    assert "site.events: the API token of event lacks VM.Clone on /pool/practicum-event" in text
    assert "./practicum up site --refresh" in text
    assert "VM.Audit" not in text


def test_no_answer_about_a_path_is_no_right_there(
    stack: EventStack, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/access/permissions"] = {}
    assert missing(api, [POOL]) == [(POOL.path, "VM.Audit"), (POOL.path, "VM.Clone")]


def test_a_guest_that_is_not_shown_but_whose_number_is_in_use_is_not_gone(
    stack: EventStack, api: Api, site_api: StandIn
) -> None:
    state = deployed_of(100101, 100111)
    seen = survey(api, ())
    site_api.answers["/cluster/nextid"] = (400, "Parameter verification failed.")
    assert [guest.vmid for guest in hidden_guests(state, seen, api)] == [100101, 100111]
    text = hidden_text(stack, hidden_guests(state, seen, api))
    assert "c01-100101 (100101), c01-100111 (100111): in use, but not shown" in text
    site_api.answers["/cluster/nextid"] = "100101"
    assert hidden_guests(state, seen, api) == []


def test_a_token_that_sees_all_guests_takes_the_list_for_the_truth(
    stack: EventStack, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/access/permissions"] = SEES_ALL
    site_api.answers["/cluster/nextid"] = (400, "Parameter verification failed.")
    state = deployed_of(100101)
    assert hidden_guests(state, survey(api, ()), api) == []


@pytest.mark.parametrize("pool", [True, False])
def test_an_event_that_is_up_keeps_the_access_that_it_came_with(places: Places, pool: bool) -> None:
    state = deployed_of(100101, pool=pool)
    fitting, other = ("[]", "[event]") if pool else ("[event]", "[]")
    stack = listed(places, fitting)
    stop_if_changed_hands(stack, plan_event(stack), state)
    stack = listed(places, other)
    with pytest.raises(RunError, match=r"first type: \./practicum destroy event"):
        stop_if_changed_hands(stack, plan_event(stack), state)
    stop_if_changed_hands(stack, plan_event(stack), None)


def test_a_pool_that_somebody_deleted_changes_no_hands(places: Places) -> None:
    component = "practicum:index:Access"
    rows = [
        {"urn": urn(TYPES["vm"], "c01-1"), "type": TYPES["vm"], "inputs": {"vmId": 1}},
        {"urn": urn(component, "practicum-event"), "type": component},
    ]
    state = read_export({"deployment": {"resources": rows}})
    stack = listed(places, "[]")
    stop_if_changed_hands(stack, plan_event(stack), state)


def test_a_site_keeps_events_on_its_list_that_are_up(
    places: Places, api: Api, site_api: StandIn
) -> None:
    rows: list[Any] = site_api.answers["/cluster/resources"]
    rows.append({"type": "qemu", "vmid": 100101, "name": "c01-head", "node": "pve01",
                 "tags": "c01;event;practicum"})  # fmt: skip
    site = listed(places, "[other]").site
    assert isinstance(site, SiteStack)
    state: Deployed = deployed_of(pool=True)
    with pytest.raises(PreflightError, match="does not list event any more, which is up: c01-head"):
        stop_if_events_are_up(site, plan_site(site), state, survey(api, ()))
    rows.pop()
    stop_if_events_are_up(site, plan_site(site), state, survey(api, ()))
