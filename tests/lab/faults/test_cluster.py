"""A cluster without quorum, hosts that are lost and come back, services that are down."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.faults.quorum import cluster_lock
from tests.lab.faults.conftest import CLOCK
from tests.lab.served import ServedLab


def create(lab: ServedLab, vmid: int, node: str = "pve1", **params: str) -> None:
    task = lab.finish(lab.call("POST", f"nodes/{node}/qemu", vmid=str(vmid), **params).ok())
    assert task["status"] == "OK"


@pytest.mark.parametrize(
    ("method", "path", "params", "text", "waits"),
    [
        ("POST", "nodes/pve1/qemu", {"vmid": "101"}, "cluster not ready - no quorum?", False),
        ("POST", "nodes/pve1/qemu/100/status/start", {}, "cluster not ready - no quorum?", False),
        (
            "PUT",
            "nodes/pve1/qemu/100/config",
            {"cores": "2"},
            "unable to open file '/etc/pve/nodes/pve1/qemu-server/100.conf.tmp.140' - "
            "Permission denied",
            False,
        ),
        (
            "POST",
            "pools",
            {"poolid": "p"},
            "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!",
            True,
        ),
        (
            "PUT",
            "access/acl",
            {"path": "/", "roles": "PVEAuditor", "users": "root@pam"},
            "ACL update failed: cfs-lock 'file-user_cfg' error: no quorum!",
            True,
        ),
        (
            "POST",
            "storage",
            {"storage": "more", "type": "dir", "path": "/more"},
            "create storage failed: cfs-lock 'file-storage_cfg' error: no quorum!",
            True,
        ),
    ],
)
def test_without_quorum_a_write_fails_at_once_or_after_ten_seconds(
    lab: ServedLab, method: str, path: str, params: dict[str, str], text: str, waits: bool
) -> None:
    create(lab, 100)
    lab.fault("no-quorum")
    start = time.monotonic()
    answer = lab.call(method, path, **params)
    spent = (time.monotonic() - start) / CLOCK
    assert (answer.status, answer.reason) == (500, text)
    assert (spent >= 10) is waits
    lab.mend()
    lab.call(method, path, **params).ok()


def test_without_quorum_a_destroy_fails_in_its_task_and_reads_go_on(lab: ServedLab) -> None:
    create(lab, 100)
    lab.fault("no-quorum")
    task = lab.finish(lab.call("DELETE", "nodes/pve1/qemu/100").ok())
    assert task["status"].startswith(
        "unable to open file '/etc/pve/nodes/pve1/qemu-server/100.conf"
    )
    assert lab.get("nodes/pve1/qemu/100/config")["digest"]
    assert lab.get("cluster/status")[0]["quorate"] == 0
    missing = lab.call("PUT", "nodes/pve1/qemu/999/config", cores="1")
    assert "does not exist" in missing.reason


def test_half_of_the_hosts_are_no_quorum(lab: ServedLab) -> None:
    lab.fault("host-offline", host="pve3")
    assert lab.get("cluster/status")[0]["quorate"] == 1
    lab.fault("host-offline", host="pve2")
    assert lab.get("cluster/status")[0]["quorate"] == 0
    assert lab.call("POST", "nodes/pve1/qemu", vmid="100").reason.endswith("no quorum?")


def test_a_lost_host_is_waited_for_long_once_and_then_short(lab: ServedLab) -> None:
    lab.fault("host-offline", host="pve2")
    seen = []
    for _ in range(3):
        start = time.monotonic()
        answer = lab.call("GET", "nodes/pve2/qemu")
        assert (answer.status, answer.body) == (595, b"")
        seen.append((answer.reason, (time.monotonic() - start) / CLOCK))
    assert [reason for reason, _ in seen] == [
        "Connection timed out",
        "No route to host",
        "No route to host",
    ]
    assert seen[0][1] >= 30 > 15 > seen[1][1] >= 3
    assert lab.call("GET", "nodes/pve3/qemu").status == 200


def test_what_a_host_was_asked_when_it_got_lost_is_not_answered(lab: ServedLab) -> None:
    create(lab, 100, "pve2")
    lab.fault("lock-held", vmid=100)

    def change() -> int:
        client = lab.client_with(lab.client.headers)
        return client.call("PUT", "nodes/pve2/qemu/100/config", cores="2").status

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(change)
        time.sleep(2 * CLOCK)
        lab.fault("host-offline", host="pve2")
        assert answer.result(10) == 596
    lab.mend()
    assert "cores" not in lab.get("nodes/pve2/qemu/100/config")
    lab.call("PUT", "nodes/pve2/qemu/100/config", cores="2").ok()


def test_a_lost_host_is_listed_and_its_guests_keep_their_status(lab: ServedLab) -> None:
    create(lab, 100, "pve2", start="1")
    lab.fault("host-offline", host="pve2")
    rows = {row["id"]: row for row in lab.get("cluster/resources")}
    assert rows["node/pve2"]["status"] == "offline"
    assert rows["qemu/100"]["status"] == "running"
    assert {n["node"]: n["status"] for n in lab.get("nodes")}["pve2"] == "offline"
    online = {row["name"]: row.get("online") for row in lab.get("cluster/status")}
    assert (online["pve1"], online["pve2"]) == (1, 0)
    lab.mend()
    assert lab.get("nodes/pve2/qemu/100/status/current")["status"] == "running"
    assert {n["node"]: n["status"] for n in lab.get("nodes")}["pve2"] == "online"


def test_another_host_answers_when_the_first_is_lost(lab: ServedLab) -> None:
    lab.fault("host-offline", host="pve1")
    local = [row["name"] for row in lab.get("cluster/status") if row.get("local")]
    assert local == ["pve2"]
    assert lab.call("GET", "nodes/pve1/status").status == 595
    assert lab.call("GET", "nodes/localhost/status").status == 200


def test_a_crashed_host_comes_back_with_its_guests_off_unless_marked(lab: ServedLab) -> None:
    create(lab, 100, "pve2", start="1")
    create(lab, 101, "pve2", start="1", onboot="1")
    lab.fault("task-delay", delay=30, task="qmreboot")
    upid = lab.call("POST", "nodes/pve2/qemu/100/status/reboot").ok()
    lab.fault("host-offline", host="pve2", crash=True)
    assert lab.finish(upid)["status"] == "unexpected status"
    lab.mend()
    status = {row["vmid"]: row["status"] for row in lab.get("nodes/pve2/qemu")}
    assert status == {100: "stopped", 101: "running"}


def test_a_migration_to_a_lost_host_is_aborted(lab: ServedLab) -> None:
    create(lab, 100)
    lab.fault("host-offline", host="pve2")
    task = lab.finish(lab.call("POST", "nodes/pve1/qemu/100/migrate", target="pve2").ok())
    assert task["status"] == "migration aborted"
    assert lab.get("nodes/pve1/qemu/100/config")


def test_a_host_can_come_back_by_itself(lab: ServedLab) -> None:
    lab.fault("host-offline", host="pve2", seconds=0.2)
    assert lab.call("GET", "nodes/pve2/qemu").status == 595
    time.sleep(0.25)
    assert lab.call("GET", "nodes/pve2/qemu").status == 200


def test_a_service_that_is_down_refuses_what_is_its_own(lab: ServedLab) -> None:
    lab.fault("service-down", host="pve1")
    answer = lab.call("POST", "pools", poolid="p")
    assert (answer.status, answer.reason, answer.body) == (595, "Connection refused", b"")
    assert lab.call("GET", "version").status == 200
    assert lab.call("POST", "nodes/pve2/qemu", vmid="100").status == 200


def test_without_its_file_system_the_cluster_answers_nothing(lab: ServedLab) -> None:
    lab.fault("filesystem-down")
    for least in (20, 3):
        start = time.monotonic()
        answer = lab.call("GET", "version")
        assert (answer.status, answer.body) == (500, b"")
        assert answer.reason.startswith("RPCEnvironment init request failed: Unable to load access")
        assert (time.monotonic() - start) / CLOCK >= least


@pytest.mark.parametrize(
    ("method", "path", "lock", "words"),
    [
        ("DELETE", "/pools/a/b", "file-user_cfg", "delete pool failed: "),
        ("PUT", "/access/users/u@pve", "file-user_cfg", "update user failed: "),
        ("POST", "/cluster/sdn/zones", "file-sdn__running-config",
         "create sdn zone object failed: "),
        ("DELETE", "/cluster/sdn/vnets/v/subnets/s", "file-sdn__running-config",
         "delete sdn subnet object failed: "),
        ("PUT", "/nodes/pve1/qemu/100/firewall/options", "firewall-vm-100", ""),
        ("POST", "/cluster/firewall/groups", "firewall-cluster", ""),
    ],
)  # fmt: skip
def test_each_file_of_the_cluster_has_its_lock(
    method: str, path: str, lock: str, words: str
) -> None:
    assert cluster_lock(method, path) == (lock, words)


def test_reads_take_no_lock_of_the_cluster() -> None:
    assert cluster_lock("GET", "/pools") is None


def test_a_slow_daemon_shows_new_guests_late_and_without_a_name(lab: ServedLab) -> None:
    create(lab, 100, name="old")
    lab.fault("slow-pvestatd")
    create(lab, 101, name="new", tags="a")
    lab.call("PUT", "nodes/pve1/qemu/100/config", name="renamed", tags="b").ok()
    rows = {row["vmid"]: row for row in lab.get("cluster/resources", type="vm")}
    assert rows[101] == {
        "id": "qemu/101", "node": "pve1", "type": "qemu", "vmid": 101, "status": "unknown",
        "tags": "a",
    }  # fmt: skip
    assert (rows[100]["name"], rows[100]["tags"]) == ("old", "b")
    time.sleep(10 * CLOCK + 0.1)
    rows = {row["vmid"]: row for row in lab.get("cluster/resources", type="vm")}
    assert (rows[100]["name"], rows[101]["name"]) == ("renamed", "new")
