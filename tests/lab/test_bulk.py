"""All guests of a host at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab

HOST = "nodes/pve1"


def made(lab: ServedLab, vmid: int, **params: Any) -> None:
    lab.finish(lab.call("POST", f"{HOST}/qemu", vmid=str(vmid), memory="64", **params).ok())


def done(lab: ServedLab, action: str, **params: Any) -> tuple[str, list[str]]:
    task = lab.finish(lab.call("POST", f"{HOST}/{action}", **params).ok())
    assert (task["type"], task["id"]) == (action, "")
    return task["status"], task["log"][:-1]


def states(lab: ServedLab) -> dict[int, tuple[str, str]]:
    rows = lab.get("cluster/resources", type="vm")
    return {row["vmid"]: (row["node"], row["status"]) for row in rows}


def test_guests_start_in_their_order_and_stop_the_other_way_round(lab: ServedLab) -> None:
    made(lab, 100, onboot="1")
    made(lab, 101, onboot="1", startup="order=1,down=0")
    made(lab, 102)
    assert done(lab, "startall") == ("OK", ["Starting VM 101", "Starting VM 100"])
    assert done(lab, "startall", vms="102", force="1") == ("OK", ["Starting VM 102"])
    assert {state for _, state in states(lab).values()} == {"running"}
    status, log = done(lab, "stopall", timeout="1", vms="100,101")
    assert status == "OK"
    assert log == [
        "Stopping VM 100 (timeout = 1 seconds)",
        "Stopping VM 101 (timeout = 0 seconds)",
    ]
    assert [state for _, state in states(lab).values()] == ["stopped", "stopped", "running"]


def test_a_guest_that_does_not_start_is_told_and_keeps_nobody(lab: ServedLab) -> None:
    made(lab, 100, onboot="1", net0="virtio,bridge=nosuch")
    made(lab, 101, onboot="1")
    status, log = done(lab, "startall")
    assert status == "OK"
    assert "Starting VM 100 failed: bridge 'nosuch' does not exist" in log
    assert states(lab)[101] == ("pve1", "running")


def test_all_guests_go_to_another_host(lab: ServedLab) -> None:
    made(lab, 100)
    made(lab, 101)
    assert done(lab, "migrateall", target="pve2", maxworkers="1") == (
        "OK",
        [
            "Check VM 100: precondition check passed",
            "Migrating VM 100",
            "Check VM 101: precondition check passed",
            "Migrating VM 101",
            "All jobs finished, used 2 workers in total.",
        ],
    )
    assert {node for node, _ in states(lab).values()} == {"pve2"}
    assert done(lab, "migrateall", **{"target": "pve2", "max-workers": "1"}) == (
        "OK",
        ["no virtual guests matched, nothing to do.."],
    )


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        ({"target": "pve1"}, 400, "Parameter verification failed."),
        ({"target": "nosuch"}, 500, "no such cluster node 'nosuch'"),
        (
            {"target": "pve2"},
            500,
            "either 'max-workers' parameter or max_workers in datacenter.cfg must be set!",
        ),
    ],
)
def test_where_guests_cannot_go(
    lab: ServedLab, params: dict[str, str], status: int, text: str
) -> None:
    answer = lab.call("POST", f"{HOST}/migrateall", **params)
    assert (answer.status, answer.reason) == (status, text)


def test_rights_are_asked_for_on_all_guests_or_on_those_named(lab: ServedLab) -> None:
    made(lab, 100)
    lab.call("POST", "access/users", userid="u@pve").ok()
    lab.call("PUT", "access/acl", path="/vms/100", roles="PVEVMUser", users="u@pve").ok()
    user = lab.token_client("u@pve", "tk", privsep="0")
    assert user.call("POST", f"{HOST}/stopall", vms="100").status == 200
    for params, text in (
        ({}, "/, VM.PowerMgmt"),
        ({"vms": "100,101"}, "/vms/101, VM.PowerMgmt"),
    ):
        answer = user.call("POST", f"{HOST}/stopall", **params)
        assert (answer.status, answer.reason) == (403, f"Permission check failed ({text})")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ("pve1", "'pve1' is local node, cannot wake my self!"),
        ("pve2", "No wake on LAN MAC address defined for 'pve2'!"),
        ("nosuch", "no such cluster node 'nosuch'"),
    ],
)
def test_only_another_host_with_an_address_is_woken(lab: ServedLab, node: str, text: str) -> None:
    assert lab.call("POST", f"nodes/{node}/wakeonlan").reason == text


def test_a_host_is_woken_by_its_address(lab: ServedLab) -> None:
    lab.call("PUT", "nodes/pve2/config", wakeonlan="00:11:22:33:44:55").ok()
    assert lab.call("POST", "nodes/pve2/wakeonlan").ok() == "00:11:22:33:44:55"


def test_machines_are_suspended_to_their_disks(lab: ServedLab) -> None:
    made(lab, 101)
    lab.finish(lab.call("POST", f"{HOST}/qemu/101/status/start").ok())
    assert done(lab, "suspendall")[0] == "OK"
    assert states(lab)[101] == ("pve1", "stopped")
    assert lab.get(f"{HOST}/qemu/101/config")["lock"] == "suspended"


def test_a_machine_with_a_device_of_its_host_stays(lab: ServedLab) -> None:
    made(lab, 100)
    made(lab, 101)
    lab.ticket_client().call("PUT", f"{HOST}/qemu/101/config", serial0="/dev/ttyS0").ok()
    status, log = done(lab, "migrateall", target="pve2", maxworkers="2")
    assert status == "OK"
    assert "Check VM 101: skip VM 101 - precondition check failed:" in log
    assert {vmid: node for vmid, (node, _) in states(lab).items()} == {100: "pve2", 101: "pve1"}
    status, _ = done(lab, "migrateall", target="pve2", maxworkers="2")
    assert status == "no migrations worker started..."
