"""Proxmox VE's limits: clones queue for their storage and fail after ten seconds, workers are few.

A clone holds its storage for two seconds of the cluster here, so five fit into a wait of ten.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.realistic import Workers, limits
from tests.lab.faults.conftest import CLOCK
from tests.lab.served import ServedLab

CLONE_S = 2.0


def template(lab: ServedLab, storage: str) -> None:
    for path, params in (
        ("nodes/pve1/qemu", {"vmid": "100", "scsi0": f"{storage}:1,format=qcow2"}),
        ("nodes/pve1/qemu/100/template", {}),
    ):
        assert lab.finish(lab.call("POST", path, **params).ok())["status"] == "OK"


def clones(lab: ServedLab, number: int) -> list[dict[str, Any]]:
    """Clones asked for all at once; their tasks."""

    def one(new: int) -> dict[str, Any]:
        client = lab.client_with(lab.client.headers)
        upid = client.call("POST", "nodes/pve1/qemu/100/clone", newid=str(new)).ok()
        return lab.finish(upid)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(101, 101 + number)))


def test_few_clones_at_once_take_the_time_of_all(realistic: ServedLab) -> None:
    template(realistic, "local")
    start = time.monotonic()
    assert {task["status"] for task in clones(realistic, 4)} == {"OK"}
    assert (time.monotonic() - start) / CLOCK >= 4 * CLONE_S


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        ("local", "can't lock file '/var/lock/pve-manager/pve-storage-local' - got timeout"),
        ("pool", "cfs-lock 'storage-pool' error: got lock request timeout"),
    ],
)
def test_too_many_clones_at_once_fail_with_the_storages_lock(
    realistic: ServedLab, storage: str, text: str
) -> None:
    template(realistic, storage)
    tasks = clones(realistic, 10)
    failed = [task for task in tasks if task["status"] != "OK"]
    assert {task["status"] for task in failed} == {f"clone failed: {text}"}
    assert 3 <= len(failed) <= 8
    there = realistic.get("cluster/resources", type="vm")
    assert len(there) == 1 + len(tasks) - len(failed)
    assert not any("lock" in row for row in there)


def test_a_clone_that_is_being_made_is_locked_and_has_no_configuration_yet(
    realistic: ServedLab,
) -> None:
    template(realistic, "local")
    realistic.lab.tasks._grace_s = 0  # the UPID comes before the clone's end
    upid = realistic.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok()
    config = realistic.get("nodes/pve1/qemu/101/config")
    del config["digest"]
    assert config == {"lock": "clone", "description": " qmclone temporary file"}
    assert realistic.finish(upid)["status"] == "OK"
    assert "lock" not in realistic.get("nodes/pve1/qemu/101/config")


def test_an_interrupted_clone_leaves_nothing(realistic: ServedLab) -> None:
    template(realistic, "local")
    realistic.fault("lock-held", storage="local")
    upid = realistic.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok()
    realistic.call("DELETE", f"nodes/pve1/tasks/{upid}").ok()
    assert realistic.finish(upid)["status"] == "received interrupt"
    assert [row["vmid"] for row in realistic.get("cluster/resources", type="vm")] == [100]
    realistic.mend()
    again = realistic.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok()
    assert realistic.finish(again)["status"] == "OK"


def test_a_clone_waits_a_second_for_its_source(realistic: ServedLab) -> None:
    template(realistic, "local")
    realistic.fault("lock-held", vmid=100)
    start = time.monotonic()
    task = realistic.finish(realistic.call("POST", "nodes/pve1/qemu/100/clone", newid="101").ok())
    assert task["status"] == "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"
    assert (time.monotonic() - start) / CLOCK < 9


def test_a_host_has_three_workers_and_each_host_its_own() -> None:
    async def body() -> tuple[int, int]:
        workers, busy, most = Workers(limits(realistic=True)), 0, 0

        async def call(host: str) -> None:
            nonlocal busy, most
            async with workers.at_work(host, protected=True):
                busy += 1
                most = max(most, busy)
                await asyncio.sleep(0.01)
                busy -= 1

        await asyncio.gather(*(call("pve1") for _ in range(10)))
        one, most = most, 0
        await asyncio.gather(*(call(host) for host in ("pve1", "pve2") for _ in range(10)))
        return one, most

    assert asyncio.run(body()) == (3, 6)


def test_calls_that_wait_for_a_lock_keep_the_hosts_workers_busy(realistic: ServedLab) -> None:
    template(realistic, "local")
    realistic.fault("lock-held", vmid=100)

    def change(_: int) -> None:
        client = realistic.client_with(realistic.client.headers)
        client.call("PUT", "nodes/pve1/qemu/100/config", description="x")

    with ThreadPoolExecutor(3) as pool:
        waiting = pool.map(change, range(3))
        time.sleep(4 * CLOCK)
        start = time.monotonic()
        realistic.call("POST", "nodes/pve1/qemu", vmid="200").ok()
        spent = (time.monotonic() - start) / CLOCK
        list(waiting)
    assert spent > 2
