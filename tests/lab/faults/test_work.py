"""Faults of tasks: which are struck, how they end, what is done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.served import ServedLab


def create(lab: ServedLab, vmid: int, **params: str) -> dict[str, Any]:
    answer = lab.call("POST", "nodes/pve1/qemu", vmid=str(vmid), **params)
    return lab.finish(answer.ok())


def vmids(lab: ServedLab) -> list[int]:
    return sorted(row["vmid"] for row in lab.get("cluster/resources", type="vm"))


@pytest.mark.parametrize(("after", "running"), [(False, "stopped"), (True, "running")])
def test_an_error_comes_before_or_after_the_work(lab: ServedLab, after: bool, running: str) -> None:
    create(lab, 100)
    lab.fault(
        "task-error", text="start failed: QEMU exited with code 1", task="qmstart", after=after
    )
    task = lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    assert task["status"] == "start failed: QEMU exited with code 1"
    assert task["log"][-1] == "TASK ERROR: start failed: QEMU exited with code 1"
    assert lab.get("nodes/pve1/qemu/100/status/current")["status"] == running


def test_a_killed_worker_leaves_no_result_and_no_log(lab: ServedLab) -> None:
    lab.fault("worker-killed", task="qmcreate", count=1)
    task = create(lab, 100)
    assert task["status"] == "unexpected status"
    path = f"nodes/pve1/tasks/{task['upid']}"
    assert lab.get(f"{path}/status")["exitstatus"] == "unexpected status"
    assert lab.get(f"{path}/log") == [{"n": 1, "t": "no content"}]


def test_without_a_worker_the_call_fails_and_a_new_guest_stays_locked(lab: ServedLab) -> None:
    lab.fault("no-worker", task="qmcreate")
    answer = lab.call("POST", "nodes/pve1/qemu", vmid="100")
    assert (answer.status, answer.reason) == (500, "got no worker upid - start worker failed")
    assert lab.get("nodes/pve1/qemu/100/config")["lock"] == "create"
    assert lab.get("nodes/pve1/tasks") == []


def test_a_warning_is_a_success_with_a_note(lab: ServedLab) -> None:
    lab.fault("task-warning", text="disk is slow", task="qm*")
    task = create(lab, 100)
    assert (task["status"], task["log"][-2:]) == (
        "WARNINGS: 1",
        ["WARN: disk is slow", "TASK WARNINGS: 1"],
    )
    assert vmids(lab) == [100]


def test_a_delayed_task_is_running_meanwhile(lab: ServedLab) -> None:
    lab.fault("task-delay", delay=0.4, task="qmcreate")
    upid = lab.call("POST", "nodes/pve1/qemu", vmid="100").ok()
    assert lab.get(f"nodes/pve1/tasks/{upid}/status")["status"] == "running"
    assert [task["upid"] for task in lab.get("nodes/pve1/tasks", source="active")] == [upid]
    assert lab.finish(upid)["status"] == "OK"


def test_a_stopped_task_has_received_an_interrupt(lab: ServedLab) -> None:
    lab.fault("task-delay", delay=30, task="qmcreate")
    upid = lab.call("POST", "nodes/pve1/qemu", vmid="100").ok()
    lab.call("DELETE", f"nodes/pve1/tasks/{upid}").ok()
    assert lab.finish(upid)["status"] == "received interrupt"
    assert lab.get("nodes/pve1/tasks", statusfilter="error")[0]["upid"] == upid


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"about": "101"}, [100, 102]),
        ({"index": "1,3"}, [101]),
        ({"host": "pve2"}, [100, 101, 102]),
        ({"task": "qmclone"}, [100, 101, 102]),
    ],
)
def test_tasks_are_chosen_by_type_object_host_and_place(
    lab: ServedLab, settings: dict[str, Any], expected: list[int]
) -> None:
    lab.fault("task-error", text="no", **settings)
    good = [vmid for vmid in (100, 101, 102) if create(lab, vmid)["status"] == "OK"]
    assert good == expected


def test_a_full_storage_fails_what_would_be_put_there(lab: ServedLab) -> None:
    lab.fault("storage-full", storage="local", host="pve1")
    task = create(lab, 100, scsi0="local:8")
    assert task["status"] == (
        "unable to create VM 100 - unable to create image: qemu-img: "
        "/var/lib/vz/images/100/vm-100-disk-0.raw: No space left on device"
    )
    assert vmids(lab) == []
    assert lab.get("nodes/pve1/storage/local/status")["avail"] == 0
    assert lab.get("nodes/pve2/storage/local/status")["avail"] > 0
    assert create(lab, 101, scsi0="pool:8")["status"] == "OK"
    lab.mend()
    assert create(lab, 100, scsi0="local:8")["status"] == "OK"
