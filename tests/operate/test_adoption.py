"""What is ours, complete and unknown to the state is taken over; the rest is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from event.stack import EventStack, SiteStack
from operate.adoption import UNKNOWN, find_ours, larger_disks, with_ours
from operate.api import Api
from operate.deployed import NOTHING, read_export
from operate.engine import Answer
from operate.leftovers import Leftover
from operate.places import Places
from operate.recovery import plan_repair
from operate.session import Session
from operate.stacks import load
from operate.survey import survey
from operate.unfinished import find_lost
from plan.plan import plan_site
from plan.records import EventPlan
from tests.operate.stand_in import StandIn
from tests.operate.states import export, inputs, urn

VM = "proxmoxve:index/vmLegacy:VmLegacy"
POOL = "proxmoxve:index/poolLegacy:PoolLegacy"
TAGS = "c01;event;practicum"


@pytest.fixture
def site_api(site_api: StandIn) -> StandIn:
    site_api.answers["/pools/practicum-event"] = {"comment": "practicum:event:event"}
    return site_api


def put(server: StandIn, called: str, vmid: int, **more: Any) -> None:
    description = more.pop("description", f"practicum:event:{called}")
    row = {"type": "qemu", "vmid": vmid, "node": "pve02", "status": "running", "tags": TAGS}
    server.answers["/cluster/resources"].append(row | {"name": called} | more)
    kind = more.get("type", "qemu")
    server.answers[f"/nodes/pve02/{kind}/{vmid}/config"] = {"description": description}


def without(plan: EventPlan, *names: str, begun: bool = False) -> dict[str, Any]:
    made = export(plan)
    body = made["deployment"]
    gone = [each for each in body["resources"] if each["urn"].rpartition("::")[2] in names]
    body["resources"] = [each for each in body["resources"] if each not in gone]
    if begun:
        body["pending_operations"] = [{"type": "creating", "resource": each} for each in gone]
    return made


def ours(plan: EventPlan, state: dict[str, Any] | None, api: Api) -> list[str]:
    read = read_export(state) if state else None
    return [each.name for each in find_ours(plan, read, survey(api, ()), api)]


def test_a_guest_that_an_old_state_does_not_know_is_ours(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    put(site_api, "c01-n1", 100111, status="stopped")
    assert ours(plan, without(plan, "c01-n1"), api) == ["c01-n1"]
    assert ours(plan, export(plan), api) == []


def test_a_guest_without_its_disks_limits_was_never_complete_unless_it_runs(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    for name, vmid, status in (("c01-n1", 100111, "stopped"), ("c02-n1", 100211, "running")):
        put(site_api, name, vmid, status=status)
        site_api.answers[f"/nodes/pve02/qemu/{vmid}/config"]["scsi0"] = "shared:9/v.qcow2,size=8G"
    state = without(plan, "c01-n1", "c02-n1")
    assert ours(plan, state, api) == ["c02-n1"]
    lost = find_lost(plan, read_export(state), survey(api, ()), api)
    assert "c01-n1" in {each.name for each in lost}
    assert "c02-n1" not in {each.name for each in lost}
    site_api.answers["/nodes/pve02/qemu/100111/config"]["scsi0"] += ",iops_rd=1000000"
    assert ours(plan, state, api) == ["c01-n1", "c02-n1"]
    lost = find_lost(plan, read_export(state), survey(api, ()), api)
    assert not {"c01-n1", "c02-n1"} & {each.name for each in lost}


def test_disks_that_are_larger_than_planned_stay_so(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    put(site_api, "c01-n1", 100111, maxdisk=12 << 30)
    put(site_api, "c02-n1", 100211, maxdisk=8 << 30)
    found = find_ours(plan, read_export(without(plan, "c01-n1", "c02-n1")), survey(api, ()), api)
    assert larger_disks(plan, found) == {"c01-n1": 12}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"name": "mail"}, id="another name"),
        pytest.param({"tags": "practicum;sc09"}, id="another event"),
        pytest.param({"tags": ""}, id="never complete"),
        pytest.param({"description": ""}, id="tags that somebody else has given"),
        pytest.param({"type": "lxc"}, id="a container"),
        pytest.param({"template": 1}, id="a template"),
    ],
)
def test_what_does_not_fit_the_plan_is_not(
    plan: EventPlan, api: Api, site_api: StandIn, more: dict[str, Any]
) -> None:
    put(site_api, "c01-n1", 100111, **more)
    assert ours(plan, without(plan, "c01-n1"), api) == []


def test_of_guests_in_work_only_those_that_run_are_complete(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    put(site_api, "c01-n1", 100111)
    put(site_api, "c02-n1", 100211, status="stopped")
    state = without(plan, "c01-n1", "c02-n1", begun=True)
    assert ours(plan, state, api) == ["c01-n1"]
    seen, read = survey(api, ()), read_export(state)
    found = find_ours(plan, read, seen, api)
    repair = plan_repair(read, seen, "event", api, ours=found)
    assert [each.name for each in repair.leftovers] == ["c02-n1"]
    assert "taken over: c01-n1" in " ".join(repair.lines)


def test_without_a_state_everything_of_the_event_is_taken_over(
    plan: EventPlan, api: Api, site_api: StandIn
) -> None:
    assert ours(plan, None, api) == []  # the pool alone is made again
    put(site_api, "c01-n1", 100111)
    put(site_api, "c01-head", 100101, status="stopped", tags="")
    assert set(ours(plan, None, api)) == {"c01-n1", "practicum-event"}
    seen = survey(api, ())
    lost, found = find_lost(plan, NOTHING, seen, api), find_ours(plan, None, seen, api)
    repair = plan_repair(None, seen, "event", api, lost=lost, ours=found)
    assert [each.name for each in repair.leftovers] == ["c01-head"]
    assert {each.name for each in repair.ours} == {"c01-n1", "practicum-event"}
    assert plan_repair(None, survey(api, ()), "event", api).needed is False


def test_a_template_is_taken_over_by_its_site(places: Places, api: Api, site_api: StandIn) -> None:
    site = load("site", places)
    assert isinstance(site, SiteStack)
    plan = plan_site(site)
    copy = plan.images[0].templates[0]
    site_api.answers["/nodes/pve01/qemu/9000/config"] = {"description": copy.description}
    (found,) = find_ours(plan, None, survey(api, ()), api)
    assert found.name == f"{copy.name}-{copy.host}"


class Previewing:
    """An engine that answers a preview."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.steps = steps
        self.stack = type("Ref", (), {"name": "event"})

    def ask(self, *arguments: str, config: bool = False) -> Answer:
        assert arguments[:2] == ("preview", "--json")
        return Answer(code=0, out=json.dumps({"steps": self.steps}), err="")


def create(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    custom = not kind.startswith("practicum:")
    state = {"urn": urn(kind, name), "type": kind, "custom": custom, **fields}
    return {"op": "create", "urn": state["urn"], "newState": state}


def session(engine: Previewing, stack: EventStack) -> Session:
    made: Any = type("Any", (), {"engine": engine, "stack": stack, "site": stack.site})
    return made  # type: ignore[no-any-return]


def test_entries_are_what_the_engine_would_have_written(plan: EventPlan, stack: EventStack) -> None:
    guest = plan.clusters[0].guests[0]
    provider, cluster = urn("pulumi:providers:proxmoxve", "site"), urn("practicum:a:C", "c01")
    used = f"{provider}::{UNKNOWN}"
    given = inputs(guest) | {"__defaults": []}
    given["initialization"]["userAccount"]["password"] = "[secret]"
    pool = create(POOL, plan.access.pool, provider=used, inputs={"poolId": plan.access.pool})
    steps = [
        create("pulumi:providers:proxmoxve", "site", inputs={"apiToken": "[secret]"}),
        create("practicum:a:C", "c01"),
        create("practicum:a:C", "c02"),
        pool,
        create(
            VM,
            guest.name,
            provider=used,
            parent=cluster,
            inputs=given,
            dependencies=[pool["urn"]],
            propertyDependencies={"poolId": [pool["urn"]]},
        ),
    ]
    found = Leftover(name=guest.name, type="VmLegacy", path=f"/nodes/pve09/qemu/{guest.vmid}")
    state: dict[str, Any] = {"deployment": {}}
    assert with_ours(session(Previewing(steps), stack), state, [found]) == [urn(VM, guest.name)]
    made = {each["urn"]: each for each in state["deployment"]["resources"]}
    assert list(made) == [provider, cluster, urn(VM, guest.name)]
    entry = made[urn(VM, guest.name)]
    assert entry["id"] == entry["outputs"]["id"] == str(guest.vmid)
    assert entry["inputs"]["nodeName"] == entry["outputs"]["nodeName"] == "pve09"
    assert entry["provider"] == f"{provider}::{made[provider]['id']}"
    assert entry["dependencies"] == entry["propertyDependencies"]["poolId"] == []
    assert "__defaults" not in entry["outputs"]
    # Without the stack's secret nobody knows the password: the next run sets it.
    assert "password" not in entry["inputs"]["initialization"]["userAccount"]
    assert "apiToken" not in made[provider]["inputs"]
    assert "[secret]" not in json.dumps(state)
