"""Who may do what where."""

from __future__ import annotations

from typing import Any

import pytest

from lab.rights import normal_path
from lab.sections.acl import is_known
from tests.lab.served import ServedLab


@pytest.fixture
def access(lab: ServedLab) -> ServedLab:
    lab.call("POST", "access/groups", groupid="g").ok()
    lab.call("POST", "access/users", userid="u@pve", groups="g").ok()
    return lab


def allow(lab: ServedLab, path: str, role: str, **holder: str) -> None:
    lab.call("PUT", "access/acl", path=path, roles=role, **holder).ok()


def on(lab: ServedLab, path: str, user: str = "u@pve") -> set[str]:
    found: dict[str, Any] = lab.get("access/permissions", userid=user, path=path)
    return set(found[path])


AUDIT = {"VM.Audit", "VM.GuestAgent.Audit"}


def test_rights_reach_below_their_path(access: ServedLab) -> None:
    allow(access, "/vms", "PVEAuditor", users="u@pve")
    assert on(access, "/vms/100") >= AUDIT


def test_rights_that_do_not_propagate_stay_where_they_are(access: ServedLab) -> None:
    allow(access, "/vms", "PVEAuditor", users="u@pve", propagate="0")
    assert on(access, "/vms") >= AUDIT
    assert on(access, "/vms/100") == set()


def test_a_deeper_entry_replaces_an_inherited_one(access: ServedLab) -> None:
    allow(access, "/vms", "PVEVMAdmin", users="u@pve")
    allow(access, "/vms/100", "PVETemplateUser", users="u@pve")
    assert on(access, "/vms/100") == {"VM.Audit", "VM.Clone"}
    assert "VM.Allocate" in on(access, "/vms/101")


def test_a_users_entry_wins_over_the_groups_on_the_same_path(access: ServedLab) -> None:
    allow(access, "/vms/100", "PVEVMAdmin", groups="g")
    allow(access, "/vms/100", "PVETemplateUser", users="u@pve")
    assert on(access, "/vms/100") == {"VM.Audit", "VM.Clone"}


def test_no_access_takes_everything(access: ServedLab) -> None:
    allow(access, "/", "Administrator", users="u@pve")
    allow(access, "/vms/100", "NoAccess", users="u@pve")
    assert on(access, "/vms/100") == set()


def test_a_guest_in_a_pool_has_the_rights_on_the_pool(access: ServedLab) -> None:
    access.call("POST", "pools", poolid="p").ok()
    access.call("PUT", "pools/p", vms="100", storage="local").ok()
    allow(access, "/pool/p", "PVEVMUser", users="u@pve")
    assert "VM.PowerMgmt" in on(access, "/vms/100")
    assert "VM.PowerMgmt" in on(access, "/storage/local")
    assert on(access, "/vms/101") == set()


def test_a_separated_token_has_only_what_both_have(access: ServedLab) -> None:
    allow(access, "/vms", "PVETemplateUser", users="u@pve")
    token = access.token_client("u@pve", "tk")
    assert on(access, "/vms", "u@pve!tk") == set()
    allow(access, "/vms", "PVEAuditor", tokens="u@pve!tk")
    assert on(access, "/vms", "u@pve!tk") == {"VM.Audit"}
    assert token.call("GET", "access/permissions").ok() == {"/vms": {"VM.Audit": 1}}


def test_a_token_without_separation_is_its_user(access: ServedLab) -> None:
    allow(access, "/vms", "PVETemplateUser", users="u@pve")
    access.token_client("u@pve", "tk", privsep="0")
    assert on(access, "/vms", "u@pve!tk") == {"VM.Audit", "VM.Clone"}


def test_a_refusal_names_path_and_privilege(access: ServedLab) -> None:
    token = access.token_client("u@pve", "tk", privsep="0")
    answer = token.call("POST", "pools", poolid="p")
    assert (answer.status, answer.message) == (
        403,
        "Permission check failed (/pool/p, Pool.Allocate)\n",
    )
    answer = token.call("PUT", "access/acl", path="/vms/100", roles="PVEAdmin", users="u@pve")
    assert answer.reason == "Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)"


def test_lists_show_only_what_one_may_see(access: ServedLab) -> None:
    for vmid in ("100", "101"):
        access.finish(access.call("POST", "nodes/pve1/qemu", vmid=vmid).ok())
    allow(access, "/vms/100", "PVEVMUser", users="u@pve")
    token = access.token_client("u@pve", "tk", privsep="0")
    assert [row["vmid"] for row in token.call("GET", "cluster/resources", type="vm").ok()] == [100]
    assert token.call("GET", "storage").ok() == []
    assert set(token.call("GET", "nodes").ok()[0]) == {
        "id",
        "node",
        "type",
        "status",
        "level",
        "ssl_fingerprint",
    }


def test_a_users_own_tokens_are_theirs_to_make_but_a_token_is_not_its_user(
    access: ServedLab,
) -> None:
    access.call("POST", "access/users", userid="w@pve", groups="g", password="long-enough").ok()
    user = access.ticket_client("w@pve", "long-enough")
    user.call("POST", "access/users/w@pve/token/own").ok()
    assert user.call("POST", "access/users/root@pam/token/other").status == 403
    token = access.token_client("u@pve", "tk", privsep="0")
    assert token.call("POST", "access/users/u@pve/token/other").status == 403


def test_a_pool_without_access_takes_what_its_members_have_of_their_own(access: ServedLab) -> None:
    access.call("POST", "pools", poolid="closed").ok()
    access.call("PUT", "pools", poolid="closed", vms="100").ok()
    allow(access, "/vms/100", "PVEVMAdmin", users="u@pve")
    allow(access, "/pool/closed", "NoAccess", users="u@pve")
    assert on(access, "/vms/100") == set()


def test_rights_from_a_pool_reach_its_members_and_no_further(access: ServedLab) -> None:
    access.call("POST", "pools", poolid="open").ok()
    access.call("PUT", "pools", poolid="open", vms="100").ok()
    allow(access, "/pool/open", "PVETemplateUser", users="u@pve")
    found = access.get("access/permissions", userid="u@pve")
    assert found["/vms/100"] == {"VM.Audit": 0, "VM.Clone": 0}


def test_who_may_change_rights_by_a_narrow_privilege_gives_no_more_than_they_have(
    access: ServedLab,
) -> None:
    access.call("POST", "access/users", userid="v@pve").ok()
    allow(access, "/vms/100", "PVEVMAdmin", users="u@pve")
    token = access.token_client("u@pve", "tk", privsep="0")
    given = {"path": "/vms/100", "users": "v@pve"}
    token.call("PUT", "access/acl", roles="PVEVMUser", **given).ok()
    refused = token.call("PUT", "access/acl", roles="Administrator", **given)
    assert refused.status == 500
    assert refused.message.splitlines() == [
        "ACL update failed: 400 Parameter verification failed.",
        "role: Cannot add role 'Administrator' - requires 'Permissions.Modify' or superset of "
        "privileges.",
    ]


def test_a_change_of_the_list_is_made_whole_or_not_at_all(access: ServedLab) -> None:
    holders = {"users": "u@pve,nobody@pve", "roles": "PVEVMUser", "path": "/vms"}
    assert access.call("PUT", "access/acl", **holders).status == 500
    assert access.get("access/acl") == []


def test_a_gone_user_leaves_no_rights_behind(access: ServedLab) -> None:
    allow(access, "/vms/100", "PVEVMUser", users="u@pve", groups="g")
    access.call("DELETE", "access/users/u@pve").ok()
    assert [entry["ugid"] for entry in access.get("access/acl")] == ["g"]
    access.call("DELETE", "access/groups/g").ok()
    assert access.get("access/acl") == []


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/", True),
        ("vms", True),
        ("/vms/100", True),
        ("/vms/abc", False),
        ("/bad/path", False),
        ("/pool/a/b/c", True),
        ("/pool/a/b/c/d", False),
        ("/sdn/zones/z/v/4094", True),
        ("/nodes/x", True),
        ("/storage/x/y", False),
        ("/access/groups/g", True),
    ],
)
def test_rights_exist_on_known_paths_only(path: str, fits: bool) -> None:
    assert is_known(normal_path(path) or "") is fits


def test_the_pool_of_a_guest_is_told_to_those_who_may_audit_it(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="p").ok()
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100", pool="p").ok())
    lab.call("POST", "access/users", userid="u@pve").ok()
    lab.call("PUT", "access/acl", path="/vms/100", roles="PVEVMUser", users="u@pve").ok()
    user = lab.token_client("u@pve", "tk", privsep="0")
    assert "pool" not in user.call("GET", "cluster/resources", type="vm").ok()[0]
    lab.call("PUT", "access/acl", path="/pool/p", roles="PVEAuditor", users="u@pve").ok()
    assert user.call("GET", "cluster/resources", type="vm").ok()[0]["pool"] == "p"


def test_of_a_host_everybody_sees_that_it_is_there(lab: ServedLab) -> None:
    lab.call("POST", "access/users", userid="u@pve").ok()
    user = lab.token_client("u@pve", "tk", privsep="0")
    rows = user.call("GET", "cluster/resources", type="node").ok()
    assert rows[0].keys() == {"id", "type", "node", "status", "level", "cgroup-mode"}
    assert "cgroup-mode" not in user.call("GET", "nodes").ok()[0]


@pytest.mark.parametrize(
    ("method", "path", "params", "text"),
    [
        ("POST", "pools", {}, "Permission check failed (/pool/-, Pool.Allocate)"),
        ("DELETE", "pools", {"poolid": "0"}, "Permission check failed (/pool/-, Pool.Allocate)"),
        ("PUT", "access/acl", {}, "Permission check failed (/-, Permissions.Modify)"),
        ("POST", "access/users", {}, "user name '' is too short"),
        (
            "POST",
            "access/users",
            {"userid": "bad"},
            "value 'bad' does not look like a valid user name",
        ),
        ("GET", "access/users/bad", {}, "value 'bad' does not look like a valid user name"),
        (
            "DELETE",
            "access/users/x@pve",
            {},
            "Permission check failed (/access/realm/pve, Realm.AllocateUser)",
        ),
        ("GET", "access/users/bad/token", {}, "value 'bad' does not look like a valid user name"),
        (
            "POST",
            "nodes/pve1/qemu/100/agent",
            {"command": "ping"},
            "Permission check failed (/vms/100, "
            "VM.GuestAgent.Unrestricted|VM.GuestAgent.Unrestricted)",
        ),
    ],
)
def test_rights_are_asked_for_before_parameters_are_checked(
    lab: ServedLab, method: str, path: str, params: dict[str, str], text: str
) -> None:
    lab.call("POST", "access/users", userid="u@pve").ok()
    user = lab.token_client("u@pve", "tk", privsep="0")
    assert user.call(method, path, **params).reason == text
