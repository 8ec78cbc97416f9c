"""A head whose firewall others have opened is found, told, and closed again."""

from __future__ import annotations

from typing import Any

import pytest

from event.stack import EventStack
from operate.api import Api
from operate.deployed import Deployed, read_export
from operate.guest_firewall import CLOSED, close, open_firewalls
from operate.places import Places
from operate.stacks import load
from operate.survey import Seen, survey
from plan.plan import plan_event
from tests.operate.stand_in import StandIn
from tests.operate.states import export


@pytest.fixture
def state(places: Places, site_api: StandIn) -> Deployed:
    """An event whose heads, c01-head and c02-head, are closed."""
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    plan = plan_event(stack)
    for guest in plan.guests:
        row = {"type": "qemu", "vmid": guest.vmid, "node": guest.host, "name": guest.name}
        site_api.answers["/cluster/resources"].append(row)
        path = f"/nodes/{guest.host}/qemu/{guest.vmid}/firewall/options"
        site_api.answers[path] = dict(CLOSED) if guest.exposed else {}
    return read_export(export(plan))


@pytest.fixture
def seen(state: Deployed, api: Api) -> Seen:
    return survey(api, ())


def path_of(site_api: StandIn, vmid: int) -> str:
    return next(each for each in site_api.answers if f"/{vmid}/firewall" in each)


def test_closed_heads_and_guests_that_nobody_reaches_are_left_alone(
    state: Deployed, seen: Seen, api: Api, site_api: StandIn
) -> None:
    assert open_firewalls(state, seen, api) == ()
    looked = {call for call in site_api.calls if "firewall" in call and "/qemu/" in call}
    assert {call.split("/")[4] for call in looked} == {"100101", "100201"}
    assert open_firewalls(None, seen, api) == ()


@pytest.mark.parametrize(
    ("options", "differs", "words"),
    [
        ({**CLOSED, "enable": 0}, {"enable": "0"}, "its firewall is off"),
        ({}, {"enable": "0", "dhcp": "0", "policy_out": "ACCEPT"}, "its firewall is off"),
        ({**CLOSED, "policy_in": "ACCEPT"}, {"policy_in": "ACCEPT"},
         "its firewall has policy_in ACCEPT"),
        ({**CLOSED, "macfilter": 0}, {"macfilter": "0"}, "its firewall has macfilter 0"),
    ],
)  # fmt: skip
def test_an_opened_firewall_is_told_and_closed_where_it_was_opened(
    state: Deployed, seen: Seen, api: Api, site_api: StandIn,
    options: dict[str, Any], differs: dict[str, str], words: str,
) -> None:  # fmt: skip
    path = path_of(site_api, 100101)
    site_api.answers[path] = options
    (found,) = open_firewalls(state, seen, api)
    assert (found.name, dict(found.differs), found.words) == ("c01-head", differs, words)
    close(found, api)
    assert site_api.calls[-1] == f"PUT {path}"


def test_what_the_token_may_not_read_and_what_is_half_made_are_left_out(
    state: Deployed, seen: Seen, api: Api, site_api: StandIn
) -> None:
    site_api.answers[path_of(site_api, 100101)] = (403, "Permission check failed")
    site_api.answers[path_of(site_api, 100201)] = {}
    assert [each.name for each in open_firewalls(state, seen, api)] == ["c02-head"]
    assert open_firewalls(state, seen, api, without=["c02-head"]) == ()
