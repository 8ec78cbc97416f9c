"""Replication jobs: what can be copied where, and when a job counts as run."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.lab.served import ServedLab

JOBS = "cluster/replication"


@pytest.fixture
def guest(lab: ServedLab) -> ServedLab:
    """A lab with a guest on a ZFS pool of pve1."""
    lab.call("POST", "storage", storage="tank", type="zfspool", pool="tank", content="images").ok()
    made = lab.call("POST", "nodes/pve1/qemu", vmid=100, memory=64, scsi0="tank:1")
    assert lab.finish(made.ok())["status"] == "OK"
    return lab


def make(lab: ServedLab, name: str = "100-0", **params: Any) -> Any:
    return lab.call("POST", JOBS, id=name, type="local", **{"target": "pve2", **params})


def test_a_job_is_on_the_host_of_its_guest(guest: ServedLab) -> None:
    make(guest, schedule="*/5", rate=10, comment="copy").ok()
    job = guest.get(f"{JOBS}/100-0")
    expected = {"guest": 100, "jobnum": 0, "source": "pve1", "target": "pve2", "rate": 10}
    assert {key: job[key] for key in expected} == expected
    assert [row["id"] for row in guest.get("nodes/pve1/replication")] == ["100-0"]
    assert guest.get("nodes/pve2/replication") == []


def test_a_job_runs_when_it_is_asked_to(guest: ServedLab) -> None:
    make(guest, schedule="yearly").ok()
    status = "nodes/pve1/replication/100-0/status"
    assert guest.get(status)["last_sync"] == 0
    guest.call("POST", "nodes/pve1/replication/100-0/schedule_now").ok()
    assert abs(guest.get(status)["last_sync"] - time.time()) < 30
    assert guest.get(status)["next_sync"] > time.time()
    assert len(guest.get("nodes/pve1/replication/100-0/log")) == 2


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("100-1", {}, "replication job for guest '100' to target 'local/pve2' already exists"),
        ("100-0", {"target": "pve3"}, "replication job '100-0' already exists"),
        ("100-1", {"target": "pve1"}, "Source and target must not be identical"),
    ],
)
def test_one_job_per_guest_and_target(
    guest: ServedLab, name: str, params: dict[str, Any], text: str
) -> None:
    make(guest).ok()
    assert make(guest, name, **params).reason == text


def test_only_volumes_on_zfs_are_copied(guest: ServedLab) -> None:
    for vmid, disk in ((101, "local:1"), (102, "pool:1")):
        made = guest.call("POST", "nodes/pve1/qemu", vmid=vmid, scsi0=disk)
        assert guest.finish(made.ok())["status"] == "OK"
    refused = make(guest, "101-0").reason
    assert refused.startswith("missing replicate feature on volume 'local:101/")
    assert make(guest, "102-0").reason == "No replicatable volumes found"


def test_a_target_is_fixed_and_the_rest_is_not(guest: ServedLab) -> None:
    make(guest).ok()
    assert "target" in guest.call("PUT", f"{JOBS}/100-0", target="pve3").errors
    guest.call("PUT", f"{JOBS}/100-0", comment="x", disable=1).ok()
    guest.call("PUT", f"{JOBS}/100-0", delete="comment").ok()
    job = guest.get(f"{JOBS}/100-0")
    assert ("comment" in job, job["disable"]) == (False, 1)
    assert guest.get("nodes/pve1/replication/100-0/status")["next_sync"] == 0


def test_a_replicated_guest_is_destroyed_with_its_jobs_or_not_at_all(guest: ServedLab) -> None:
    make(guest).ok()
    refused = guest.call("DELETE", "nodes/pve1/qemu/100")
    assert refused.reason == (
        "There is a replication job '100-0' for guest '100' - Please remove that first."
    )
    assert guest.finish(guest.call("DELETE", "nodes/pve1/qemu/100", purge=1).ok())["status"] == "OK"
    assert guest.get(JOBS) == []
