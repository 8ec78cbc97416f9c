"""Pools, users, groups and roles: what clients make, change, read back and take away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab


def refused(lab: ServedLab, method: str, path: str, /, **params: Any) -> str:
    answer = lab.call(method, path, **params)
    assert answer.status == 500
    return answer.message.rstrip("\n")


def test_a_pool_is_read_as_an_object_or_as_a_list_of_one(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p", comment="c").ok()
    pool = {"poolid": "p", "comment": "c", "members": []}
    assert lab.get("pools/p") == pool
    assert lab.get("pools", poolid="p") == [pool]
    assert lab.get("pools") == [{"poolid": "p", "comment": "c"}]


def test_members_of_a_pool_are_guests_and_storages(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100", pool="p").ok())
    lab.call("PUT", "pools/p", storage="local").ok()
    assert [m["id"] for m in lab.get("pools/p")["members"]] == ["qemu/100", "storage/pve1/local"]
    assert [m["id"] for m in lab.get("pools/p", type="qemu")["members"]] == ["qemu/100"]
    guests = lab.get("cluster/resources", type="vm")
    assert [guest["pool"] for guest in guests] == ["p"]


def test_a_guest_is_in_one_pool_and_moves_only_when_told(lab: ServedLab) -> None:
    for name in ("p", "q"):
        lab.call("POST", "pools", poolid=name).ok()
    lab.call("PUT", "pools/p", vms="100").ok()
    assert refused(lab, "PUT", "pools/p", vms="100") == (
        "update pools failed: VM 100 is already a pool member"
    )
    assert refused(lab, "PUT", "pools/q", vms="100") == (
        "update pools failed: VM 100 belongs already to pool 'p' and 'allow-move' is not set"
    )
    lab.call("PUT", "pools/q", vms="100", allow__move="1").ok()
    assert refused(lab, "PUT", "pools/p", vms="100", delete="1") == (
        "update pools failed: VM 100 is not a pool member"
    )


def test_a_pool_with_something_in_it_stays(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100").ok())
    for name in ("p", "p/q"):
        lab.call("POST", "pools", poolid=name).ok()
    empty = "delete pool failed: pool 'p' is not empty (contains "
    assert refused(lab, "DELETE", "pools", poolid="p") == f"{empty}pool 'p/q')"
    lab.call("DELETE", "pools", poolid="p/q").ok()
    lab.call("PUT", "pools/p", vms="100").ok()
    assert refused(lab, "DELETE", "pools/p") == f"{empty}VM 100)"
    lab.call("PUT", "pools/p", vms="100", delete="1").ok()
    lab.call("DELETE", "pools/p").ok()


def test_a_destroyed_guest_leaves_pool_rights_firewall_and_backup_jobs(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    for vmid in ("100", "101"):
        lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid=vmid, pool="p").ok())
    lab.call("POST", "access/users", userid="u@pve").ok()
    lab.call("PUT", "access/acl", path="/vms/100", roles="PVEVMUser", users="u@pve").ok()
    rules = "nodes/pve1/qemu/100/firewall/rules"
    lab.call("POST", rules, type="in", action="ACCEPT").ok()
    lab.call("POST", "cluster/backup", id="j1", schedule="daily", vmid="100,101").ok()
    lab.finish(lab.call("DELETE", "nodes/pve1/qemu/100", purge="1").ok())
    assert [m["vmid"] for m in lab.get("pools/p")["members"]] == [101]
    assert lab.get("access/acl") == []
    assert lab.get(rules) == []
    assert lab.get("cluster/backup/j1")["vmid"] == "101"
    lab.finish(lab.call("DELETE", "nodes/pve1/qemu/101", purge="1").ok())
    assert lab.get("cluster/backup") == []


def test_groups_and_users_know_each_other(lab: ServedLab) -> None:
    for group in ("g", "h"):
        lab.call("POST", "access/groups", groupid=group).ok()
    lab.call("POST", "access/users", userid="u@pve", groups="g").ok()
    lab.call("PUT", "access/users/u@pve", groups="h", append="1").ok()
    assert lab.get("access/users/u@pve")["groups"] == ["g", "h"]
    lab.call("PUT", "access/users/u@pve", groups="h").ok()
    assert lab.get("access/groups/g")["members"] == []
    lab.call("DELETE", "access/users/u@pve").ok()
    assert lab.get("access/groups/h")["members"] == []


@pytest.mark.parametrize(
    ("method", "path", "params", "text"),
    [
        ("GET", "pools/x", {}, "pool 'x' does not exist"),
        (
            "POST",
            "pools",
            {"poolid": "5"},
            "create pool failed: pool name must start with a letter",
        ),
        (
            "POST",
            "pools",
            {"poolid": "x/y"},
            "create pool failed: parent 'x' of pool 'x/y' does not exist",
        ),
        ("GET", "access/users/x@pve", {}, "no such user ('x@pve')"),
        (
            "POST",
            "access/users",
            {"userid": "x@pve", "groups": "nosuch"},
            "create user failed: no such group 'nosuch'",
        ),
        ("DELETE", "access/groups/x", {}, "delete group failed: group 'x' does not exist"),
        ("DELETE", "access/roles/PVEAdmin", {}, "auto-generated role 'PVEAdmin' cannot be deleted"),
        ("PUT", "access/roles/x", {"privs": ""}, "update role failed: role 'x' does not exist"),
        (
            "DELETE",
            "access/users/root@pam",
            {},
            "delete user failed: you can't delete the super user",
        ),
    ],
)
def test_what_is_not_there_or_not_allowed_is_said_as_proxmox_says_it(
    lab: ServedLab, method: str, path: str, params: dict[str, str], text: str
) -> None:
    assert refused(lab, method, path, **params) == text


def test_deleting_an_absent_user_is_no_fault_to_root_but_to_a_token_of_root(lab: ServedLab) -> None:
    lab.ticket_client().call("DELETE", "access/users/nobody@pve").ok()
    assert refused(lab, "DELETE", "access/users/nobody@pve") == "no such user ('nobody@pve')"


def test_members_that_are_gone_do_not_keep_a_pool(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    lab.call("POST", "access/users", userid="u@pve").ok()
    lab.call("PUT", "access/acl", path="/pool/p", roles="PVEVMUser", users="u@pve").ok()
    lab.call("PUT", "pools", poolid="p", vms="999", storage="nosuch").ok()
    lab.call("DELETE", "pools", poolid="p").ok()
    assert lab.get("access/acl") == []


def test_a_pool_changes_whole_or_not_at_all(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    assert refused(lab, "PUT", "pools/p", vms="100,100") == (
        "update pools failed: VM 100 is already a pool member"
    )
    assert lab.lab.store.get("pool", "p") == {"comment": "", "vms": [], "storage": []}


def test_a_role_gains_or_changes_privileges(lab: ServedLab) -> None:
    lab.call("POST", "access/roles", roleid="r", privs="VM.Audit").ok()
    lab.call("PUT", "access/roles/r", privs="VM.Console", append="1").ok()
    assert lab.get("access/roles/r") == {"VM.Audit": 1, "VM.Console": 1}
    lab.call("PUT", "access/roles/r", privs="").ok()
    assert lab.get("access/roles/r") == {}


def test_rights_on_a_pool_within_another_outlive_it_but_not_its_parent(lab: ServedLab) -> None:
    lab.call("POST", "access/users", userid="u@pve").ok()
    for name in ("p", "p/q"):
        lab.call("POST", "pools", poolid=name).ok()
        params = {"path": f"/pool/{name}", "roles": "PVEAuditor", "users": "u@pve"}
        lab.call("PUT", "access/acl", **params).ok()
    lab.call("DELETE", "pools", poolid="p/q").ok()
    assert [entry["path"] for entry in lab.get("access/acl")] == ["/pool/p", "/pool/p/q"]
    lab.call("DELETE", "pools", poolid="p").ok()
    assert lab.get("access/acl") == []


def test_members_of_a_pool_are_told_without_what_their_files_say(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100", pool="p", tags="a").ok())
    lab.call("POST", "cluster/ha/resources", sid="vm:100", state="stopped").ok()
    (member,) = lab.get("pools/p")["members"]
    assert member.keys().isdisjoint({"tags", "hastate", "pool", "lock"})
    assert member["name"] == "VM 100"


@pytest.mark.parametrize(
    ("given", "kept"), [(" a  b ", "a  b"), ("0", None), ("00", "00"), (" ", None)]
)
def test_comments_are_kept_as_their_file_keeps_them(
    lab: ServedLab, given: str, kept: str | None
) -> None:
    lab.call("POST", "access/users", userid="u@pve", comment=given, firstname=given).ok()
    lab.call("POST", "access/groups", groupid="g", comment=given).ok()
    lab.call("POST", "pools", poolid="p", comment=given).ok()
    made = lab.call("POST", "access/users/u@pve/token/tk", comment=given).ok()
    assert made["info"].get("comment") == (None if given == "0" else given)
    paths = ("access/users/u@pve", "access/groups/g", "pools/p", "access/users/u@pve/token/tk")
    assert [lab.get(path).get("comment") for path in paths] == [kept] * 4
    assert lab.get("access/users/u@pve").get("firstname") == kept
