"""Objects that a run has made without hearing so: ours and never complete goes, the rest stays."""

from __future__ import annotations

from typing import Any

import pytest

from event.stack import SiteStack
from operate.api import Api
from operate.deployed import read_export
from operate.places import Places
from operate.recovery import plan_repair
from operate.stacks import load
from operate.survey import survey
from operate.unfinished import find_lost
from plan.plan import plan_site
from plan.records import EventPlan, SitePlan
from tests.operate.stand_in import StandIn
from tests.operate.states import export

EMPTY: dict[str, Any] = {"version": 3, "deployment": {"resources": []}}
MARK = "practicum:event:c01-n1 A small event"


@pytest.fixture
def site_plan(places: Places) -> SitePlan:
    stack = load("site", places)
    assert isinstance(stack, SiteStack)
    return plan_site(stack)


def without(plan: EventPlan, *names: str) -> dict[str, Any]:
    """The state of an event that lacks some resources."""
    made = export(plan)
    body = made["deployment"]
    body["resources"] = [
        each for each in body["resources"] if each["urn"].rpartition("::")[2] not in names
    ]
    return made


def put(server: StandIn, vmid: int, name: str, *, description: str = MARK, **more: Any) -> None:
    row = {"type": "qemu", "vmid": vmid, "node": "pve02", "name": name, "status": "stopped", **more}
    server.answers["/cluster/resources"].append(row)
    server.answers[f"/nodes/pve02/qemu/{vmid}/config"] = {"description": description}


def lost(plan: EventPlan | SitePlan, state: dict[str, Any], api: Api) -> list[str]:
    """Names of what is found."""
    seen = survey(api, ["pve01", "pve02"])
    return [each.name for each in find_lost(plan, read_export(state), seen, api)]


def test_a_clone_whose_answer_was_lost_is_deleted_and_made_again(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    state = read_export(without(plan, "c01-n1"))
    put(site_api, 100111, "c01-n1", tags="practicum;site;template")
    for each in plan.guests:
        if each.name != "c01-n1":
            put(site_api, each.vmid, each.name, tags="c01;event;practicum")
    seen = survey(api, ["pve01", "pve02"])
    found = find_lost(plan, state, seen, api)
    assert [each.path for each in found] == ["/nodes/pve02/qemu/100111"]
    repair = plan_repair(state, seen, "event", api, lost=found)
    assert repair.needed
    assert "half-made, deleted and made again: c01-n1" in repair.lines


@pytest.mark.parametrize(
    ("name", "description", "more"),
    [
        pytest.param("mail", MARK, {}, id="another name"),
        pytest.param("c01-n1", "practicum:sc09:c01-n1", {}, id="another event"),
        pytest.param("c01-n1", "", {}, id="no mark"),
        pytest.param("c01-n1", MARK, {"status": "running"}, id="somebody has started it"),
        pytest.param("c01-n1", MARK, {"tags": "event;practicum"}, id="it was complete"),
        pytest.param("c01-n1", MARK, {"template": 1}, id="it is a template"),
    ],
)
def test_a_guest_that_may_be_somebodys_stays(
    plan: EventPlan,
    api: Api,
    site_api: StandIn,
    name: str,
    description: str,
    more: dict[str, Any],
) -> None:
    put(site_api, 100111, name, description=description, **more)
    assert lost(plan, without(plan, "c01-n1"), api) == []


def test_without_a_state_nothing_is_taken_for_half_made(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    put(site_api, 100111, "c01-n1")
    assert find_lost(plan, None, survey(api, ()), api) == ()


def test_a_clone_that_is_still_being_made_is_waited_for(
    plan: EventPlan, api: Api, site_api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site_api, 100111, "VM 100111", description="")
    config = site_api.answers["/nodes/pve02/qemu/100111/config"]
    config["lock"] = "clone"

    def later(_: float) -> None:
        site_api.answers["/cluster/resources"][-1]["name"] = "c01-n1"
        config.update(description=MARK)
        config.pop("lock", None)

    monkeypatch.setattr("operate.survey.time.sleep", later)
    assert lost(plan, without(plan, "c01-n1"), api) == ["c01-n1"]


def test_pools_and_groups_of_ours_that_the_state_lacks_are_found(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    groups = [{"group": "event-heads", "comment": "practicum:event all exposed nodes"}]
    site_api.answers |= {
        "/pools/practicum-event": {"comment": "practicum:event:event"},
        "/cluster/firewall/groups": groups,
        f"/access/roles/{plan.access.role}": {"VM.Audit": 1},
    }
    found = {"practicum-event", plan.access.role, "event-heads"}
    assert set(lost(plan, EMPTY, api)) == found
    groups[0]["comment"] = "somebody's"
    site_api.answers["/pools/practicum-event"]["comment"] = "staff"
    assert "event-heads" not in lost(plan, EMPTY, api)


def test_what_the_state_knows_is_never_half_made(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    site_api.answers["/cluster/firewall/groups"] = [
        {"group": "event-heads", "comment": "practicum:event all exposed nodes"}
    ]
    site_api.answers["/pools/practicum-event"] = {"comment": "practicum:event:event"}
    assert lost(plan, export(plan), api) == []


def test_rules_of_a_guest_that_the_state_lacks_are_cleared_and_no_others(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    state = export(plan)
    for vmid, name in ((100101, "c01-head"), (100201, "c02-head")):
        put(site_api, vmid, name, tags="event;practicum")
        site_api.answers[f"/nodes/pve02/qemu/{vmid}/firewall/rules"] = [{"pos": 0}]
    kind = "proxmoxve:firewall/rulesLegacy:RulesLegacy"
    state["deployment"]["resources"].append(
        # It was made while the guest was on another host.
        {"urn": "a::b::c::rules", "type": kind, "inputs": {"nodeName": "pve01", "vmId": 100201}}
    )
    assert lost(plan, state, api) == ["c01-head-rules"]


def test_an_address_filter_that_the_state_lacks_is_cleared_even_when_it_is_empty(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    state = export(plan)
    for vmid, name in ((100101, "c01-head"), (100201, "c02-head")):
        put(site_api, vmid, name, tags="event;practicum")
        site_api.answers[f"/nodes/pve02/qemu/{vmid}/firewall/ipset/ipfilter-net0"] = []
    kind = "proxmoxve:firewall/ipsetLegacy:IpsetLegacy"
    given = {"nodeName": "pve01", "vmId": 100201, "name": "ipfilter-net0"}
    state["deployment"]["resources"].append({"urn": "a::b::c::f", "type": kind, "inputs": given})
    assert lost(plan, state, api) == ["c01-head-ipfilter-net0"]


def test_a_token_that_may_not_look_finds_nothing(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    for path in ("/pools/practicum-event", "/cluster/firewall/groups"):
        site_api.answers[path] = (403, "Permission check failed")
    assert lost(plan, EMPTY, api) == []


def test_a_machine_that_has_not_become_its_template_is_made_again(
    site_plan: SitePlan, api: Api, site_api: StandIn
) -> None:
    row = site_api.answers["/cluster/resources"][-1]
    site_api.answers["/nodes/pve01/network"] = [{"iface": "vmbr0"}]
    assert lost(site_plan, EMPTY, api) == []
    row |= {"template": 0, "name": site_plan.images[0].templates[0].name}
    assert lost(site_plan, EMPTY, api) == [row["name"]]


def test_a_bridge_with_our_mark_is_made_again(
    site_plan: SitePlan, api: Api, site_api: StandIn
) -> None:
    mark = {"comments": "practicum:site:clusters\n"}
    site_api.answers["/nodes/pve01/network/vmbr1"] = mark
    site_api.answers["/nodes/pve02/network/vmbr1"] = {"comments": "by hand"}
    assert lost(site_plan, EMPTY, api) == ["pve01-vmbr1"]
