"""After a run that was cut off: what is half-made and ours goes, everything else stays."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack
from operate.api import Api
from operate.deployed import read_export
from operate.places import Places
from operate.recovery import begun_vmids, carry_out, plan_repair
from operate.session import Session
from operate.stacks import load
from operate.survey import Seen, survey
from plan.plan import plan_event
from tests.operate.stand_in import StandIn
from tests.operate.states import export, guest, inputs, urn

UPID = "UPID:pve02:0000:0000:0000:qmdestroy:100102:root@pam:"
OURS = "c01;event;practicum"


class AnyEngine:
    """Notes what the engine is told."""

    def __init__(self) -> None:
        self.told_to: list[tuple[tuple[str, ...], str]] = []
        self.stack = type("Ref", (), {"name": "event"})

    def told(self, *arguments: str, stdin: str = "") -> str:
        self.told_to.append((arguments, stdin))
        return ""


@pytest.fixture
def state(places: Places, site_api: StandIn) -> dict[str, Any]:
    """A complete event whose guests are all at the site."""
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    plan = plan_event(stack)
    for each in plan.guests:
        put(site_api, each.vmid, each.host, each.name, ";".join(each.tags))
    return export(plan)


def put(server: StandIn, vmid: int, host: str, name: str, tags: str = OURS) -> None:
    row = {"type": "qemu", "vmid": vmid, "node": host, "name": name, "tags": tags}
    server.answers["/cluster/resources"].append(row)
    server.answers[f"/nodes/{host}/qemu/{vmid}/config"] = {"description": ""}


def cut_off(state: dict[str, Any], kind: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The state with a creation that was in work; its guest, if any, is not in the state."""
    changed = copy.deepcopy(state)
    body = changed["deployment"]
    body["resources"] = [each for each in body["resources"] if not each["urn"].endswith(name)]
    body["pending_operations"] = [
        {"type": "creating", "resource": {"urn": urn(kind, name), "type": kind, "inputs": given}}
    ]
    return changed


def vm_inputs(state: dict[str, Any], name: str) -> dict[str, Any]:
    found = [each for each in state["deployment"]["resources"] if each["urn"].endswith(name)]
    given: dict[str, Any] = found[0]["inputs"]
    return given


VM = "proxmoxve:index/vmLegacy:VmLegacy"


def test_a_state_that_is_right_needs_no_repair(state: dict[str, Any], api: Api) -> None:
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert not repair.needed
    assert repair.lines == ()


def test_a_half_made_guest_of_ours_is_found_and_deleted(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    given = vm_inputs(state, "c01-head")
    host, vmid = given["nodeName"], given["vmId"]
    cut = read_export(cut_off(state, VM, "c01-head", given))
    assert begun_vmids(cut) == {vmid}
    repair = plan_repair(cut, survey(api, ()), "event", api)
    assert [each.name for each in repair.leftovers] == ["c01-head"]
    assert "half-made, deleted and made again: c01-head" in repair.lines
    site_api.answers[f"/nodes/{host}/qemu/{vmid}/status/stop"] = UPID
    site_api.answers[f"/nodes/{host}/qemu/{vmid}"] = UPID
    site_api.answers[f"/nodes/pve02/tasks/{UPID}/status"] = {"status": "stopped"}
    engine = AnyEngine()
    carry_out(session(engine), repair, cut, api)
    assert f"DELETE /nodes/{host}/qemu/{vmid}" in site_api.calls
    ((arguments, text),) = engine.told_to
    assert arguments == ("stack", "import", "--stack", "event")
    assert json.loads(text)["deployment"]["pending_operations"] == []


def session(engine: AnyEngine) -> Session:
    made: Any = type("AnySession", (), {"engine": engine, "stack": engine.stack})
    return made  # type: ignore[no-any-return]


def test_a_guest_of_others_is_never_a_leftover(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    given = dict(vm_inputs(state, "c01-head"), vmId=100777)
    put(site_api, 100777, "pve01", "mail", tags="practicum;sc09")
    cut = read_export(cut_off(state, VM, "c01-head", given))
    repair = plan_repair(cut, survey(api, ()), "event", api)
    assert repair.leftovers == ()
    assert repair.notes == 1


def test_a_guest_that_was_not_made_yet_leaves_only_a_note(state: dict[str, Any], api: Api) -> None:
    given = dict(vm_inputs(state, "c01-head"), vmId=100888)
    repair = plan_repair(
        read_export(cut_off(state, VM, "c01-head", given)), survey(api, ()), "event", api
    )
    assert (repair.leftovers, repair.notes) == ((), 1)


@pytest.mark.parametrize(
    ("kind", "given", "path", "answer"),
    [
        (
            "proxmoxve:index/poolLegacy:PoolLegacy",
            {"poolId": "practicum-event"},
            "/pools/practicum-event",
            {"comment": "practicum:event:event"},
        ),
        (
            "proxmoxve:index/roleLegacy:RoleLegacy",
            {"roleId": "practicum-event-instructor"},
            "/access/roles/practicum-event-instructor",
            {"VM.Audit": 1},
        ),
        (
            "proxmoxve:index/groupLegacy:GroupLegacy",
            {"groupId": "practicum-event-instructors"},
            "/access/groups/practicum-event-instructors",
            {"comment": "practicum:event:event A small event"},
        ),
        (
            "proxmoxve:network/linux/bridge:Bridge",
            {"nodeName": "pve01", "name": "vmbr1"},
            "/nodes/pve01/network/vmbr1",
            {"comments": "practicum:event:clusters\n"},
        ),
        (
            "proxmoxve:cluster/firewall/security/groupLegacy:GroupLegacy",
            {"name": "event-heads"},
            "/cluster/firewall/groups/event-heads",
            [],
        ),
    ],
)
def test_other_objects_of_ours_that_are_half_made_are_deleted(
    state: dict[str, Any],
    api: Api,
    site_api: StandIn,
    kind: str,
    given: dict[str, Any],
    path: str,
    answer: Any,
) -> None:
    cut = read_export(cut_off(state, kind, "thing", given))
    groups = site_api.answers["/cluster/firewall/groups"] = [
        {"group": "event-heads", "comment": "practicum:events of others"}
    ]
    assert plan_repair(cut, survey(api, ()), "event", api).leftovers == ()
    groups[0]["comment"] = "practicum:event exposed nodes"
    site_api.answers[path] = answer
    site_api.answers["/nodes/pve01/network"] = None
    repair = plan_repair(cut, survey(api, ()), "event", api)
    assert [each.path for each in repair.leftovers] == [path]
    carry_out(session(AnyEngine()), repair, cut, api)
    assert f"DELETE {path}" in site_api.calls


def test_rules_of_a_guest_that_were_made_already_are_cleared(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    given = vm_inputs(state, "c01-head")
    path = f"/nodes/{given['nodeName']}/qemu/{given['vmId']}/firewall/rules"
    kind = "proxmoxve:firewall/rulesLegacy:RulesLegacy"
    cut = read_export(cut_off(state, kind, "c01-head-rules", given))
    site_api.answers[path] = []
    assert plan_repair(cut, survey(api, ()), "event", api).leftovers == ()
    site_api.answers[path] = [{"pos": 0, "type": "group"}]
    site_api.answers[f"{path}/0"] = None
    repair = plan_repair(cut, survey(api, ()), "event", api)
    assert [each.path for each in repair.leftovers] == [path]
    carry_out(session(AnyEngine()), repair, cut, api)
    assert f"DELETE {path}/0" in site_api.calls
    assert f"DELETE {path}" not in site_api.calls


def test_an_address_filter_that_was_begun_is_removed_with_its_members(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    given = {**vm_inputs(state, "c01-head"), "name": "ipfilter-net0"}
    path = f"/nodes/{given['nodeName']}/qemu/{given['vmId']}/firewall/ipset/ipfilter-net0"
    kind = "proxmoxve:firewall/ipsetLegacy:IpsetLegacy"
    cut = read_export(cut_off(state, kind, "c01-head-ipfilter-net0", given))
    assert plan_repair(cut, survey(api, ()), "event", api).leftovers == ()
    site_api.answers[path] = [{"cidr": "198.51.100.11"}]
    site_api.answers[f"{path}/198.51.100.11"] = None
    repair = plan_repair(cut, survey(api, ()), "event", api)
    assert [each.path for each in repair.leftovers] == [path]
    carry_out(session(AnyEngine()), repair, cut, api)
    assert [call for call in site_api.calls if call.startswith("DELETE")] == [
        f"DELETE {path}/198.51.100.11",
        f"DELETE {path}",
    ]


def test_a_pool_of_somebody_else_stays(state: dict[str, Any], api: Api, site_api: StandIn) -> None:
    site_api.answers["/pools/staff"] = {"comment": "everybody's"}
    cut = cut_off(state, "proxmoxve:index/poolLegacy:PoolLegacy", "thing", {"poolId": "staff"})
    assert plan_repair(read_export(cut), survey(api, ()), "event", api).leftovers == ()


@pytest.mark.parametrize("comment", ["", "staff", "practicum:sc09:event"])
def test_a_name_of_ours_without_our_mark_is_not_ours(
    state: dict[str, Any], api: Api, site_api: StandIn, comment: str
) -> None:
    site_api.answers["/access/groups/practicum-event-instructors"] = {"comment": comment}
    kind, given = "proxmoxve:index/groupLegacy:GroupLegacy", "practicum-event-instructors"
    cut = read_export(cut_off(state, kind, "thing", {"groupId": given}))
    assert plan_repair(cut, survey(api, ()), "event", api).leftovers == ()


def test_what_cannot_be_deleted_is_named(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    given = vm_inputs(state, "c01-head")
    cut = read_export(cut_off(state, VM, "c01-head", given))
    repair = plan_repair(cut, survey(api, ()), "event", api)
    site_api.answers[f"/nodes/{given['nodeName']}/qemu/{given['vmId']}/status/stop"] = (
        500,
        "VM is locked (backup)",
    )
    with pytest.raises(RunError, match=r"VM is locked \(backup\)"):
        carry_out(session(AnyEngine()), repair, cut, api)


def test_guests_that_are_gone_moved_or_half_changed_are_read_again(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    rows = site_api.answers["/cluster/resources"]
    names = {row.get("name"): row for row in rows}
    rows.remove(names["c01-head"])
    names["c01-n1"]["node"] = "pve01" if names["c01-n1"]["node"] == "pve02" else "pve02"
    for each in state["deployment"]["resources"]:
        if each["urn"].endswith("c02-n1"):
            each["initErrors"] = ["no"]
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert [each.rpartition("::")[2] for each in repair.stale] == ["c01-head", "c01-n1", "c02-n1"]
    assert repair.lines == (
        "gone at the site: c01-head",
        "on another host at the site: c01-n1",
        "half-changed at the site: c02-n1",
    )


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        # Proxmox VE sets an entry that is there already once more.
        ("proxmoxve:index/acl:Acl", {"path": "/", "userId": "a@pve", "roleId": "PVEAuditor"}),
        # It takes a file that is there when the checksum fits, and keeps no half of one.
        (
            "proxmoxve:download/file:File",
            {"nodeName": "pve01", "datastoreId": "local", "fileName": "debian-12-0a1b2.qcow2"},
        ),
    ],
)
def test_what_can_be_made_twice_is_not_looked_for_and_only_the_note_is_dropped(
    state: dict[str, Any], api: Api, site_api: StandIn, kind: str, given: dict[str, Any]
) -> None:
    cut = read_export(cut_off(state, kind, "thing", given))
    seen = survey(api, ())
    before = len(site_api.calls)
    repair = plan_repair(cut, seen, "event", api)
    assert (repair.leftovers, repair.notes, repair.stale) == ((), 1, ())
    assert len(site_api.calls) == before
    engine = AnyEngine()
    carry_out(session(engine), repair, cut, api)
    ((_, text),) = engine.told_to
    assert json.loads(text)["deployment"]["pending_operations"] == []


def half_way(state: dict[str, Any], name: str, *, changed: bool) -> dict[str, Any]:
    """A resource of the state whose creation, or a later change, failed halfway."""
    found: list[dict[str, Any]] = state["deployment"]["resources"]
    each = next(each for each in found if each["urn"].endswith(f"::{name}"))
    each["initErrors"] = ["no answer"]
    each["created"] = "2026-01-01T10:00:00Z"
    each["modified"] = "2026-01-02T10:00:00Z" if changed else each["created"]
    return each


def test_a_security_group_that_is_half_made_is_read_again(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    group = half_way(state, "event-heads", changed=False)
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert repair.leftovers == ()
    assert repair.stale == (group["urn"],)
    assert repair.lines == ("half-changed at the site: event-heads (Group)",)


def test_a_guest_whose_creation_failed_is_deleted_and_read_again(
    state: dict[str, Any], api: Api
) -> None:
    guest = half_way(state, "c02-n1", changed=False)
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert [each.name for each in repair.leftovers] == ["c02-n1"]
    assert repair.stale == (guest["urn"],)
    assert repair.lines == ("half-made, deleted and made again: c02-n1",)


def test_a_guest_that_somebody_may_have_used_is_never_deleted(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    guest = half_way(state, "c02-n1", changed=True)
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert (repair.leftovers, repair.stale) == ((), (guest["urn"],))
    half_way(state, "c02-n1", changed=False)
    row = next(
        each for each in site_api.answers["/cluster/resources"] if each.get("name") == "c02-n1"
    )
    for found in ({"status": "running"}, {"template": 1}):
        repair = plan_repair(read_export(state), seen_with(site_api, row, found, api), "event", api)
        assert (repair.leftovers, repair.stale) == ((), (guest["urn"],))


def seen_with(server: StandIn, row: dict[str, Any], values: dict[str, Any], api: Api) -> Seen:
    """The site while a row of its list of guests is another one."""
    before = dict(row)
    row |= values
    seen = survey(api, ())
    row.clear()
    row |= before
    return seen


def test_a_half_made_guest_is_told_once(state: dict[str, Any], api: Api, site_api: StandIn) -> None:
    half_way(state, "c02-n1", changed=False)
    rows = site_api.answers["/cluster/resources"]
    row = next(each for each in rows if each.get("name") == "c02-n1")
    site_api.answers[f"/nodes/{row['node']}/qemu/{row['vmid']}/config"] = {
        "description": "practicum:event:c02-n1"
    }
    seen = seen_with(site_api, row, {"status": "stopped", "tags": "template"}, api)
    repair = plan_repair(read_export(state), seen, "event", api)
    assert repair.lines == ("half-made, deleted and made again: c02-n1",)


def test_a_lost_pool_puts_everything_in_doubt(
    state: dict[str, Any], api: Api, site_api: StandIn
) -> None:
    site_api.answers["/pools"] = []
    repair = plan_repair(read_export(state), survey(api, ()), "event", api)
    assert (repair.needed, repair.lost, repair.stale) == (True, True, ())


def test_helpers_of_this_file_agree_with_the_states(places: Places) -> None:
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    first = plan_event(stack).guests[0]
    assert guest(first, "c01")["inputs"] == inputs(first)
