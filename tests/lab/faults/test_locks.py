"""Locks that somebody else holds: who waits, how long, and what is said then."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from lab.errors import ApiError
from lab.locks import Locks
from lab.realistic import limits
from tests.lab.faults.conftest import CLOCK
from tests.lab.served import ServedLab


def create(lab: ServedLab, vmid: int, **params: str) -> dict[str, Any]:
    task: dict[str, Any] = lab.finish(
        lab.call("POST", "nodes/pve1/qemu", vmid=str(vmid), **params).ok()
    )
    return task


HELD = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"


def test_a_held_guest_refuses_changes_after_ten_seconds_and_can_be_read(lab: ServedLab) -> None:
    create(lab, 100)
    lab.fault("lock-held", vmid=100)
    start = time.monotonic()
    answer = lab.call("PUT", "nodes/pve1/qemu/100/config", cores="2")
    assert (answer.status, answer.reason) == (500, HELD)
    assert 10 <= (time.monotonic() - start) / CLOCK < 30
    assert lab.get("nodes/pve1/qemu/100/config")["digest"]
    lab.mend()
    lab.call("PUT", "nodes/pve1/qemu/100/config", cores="2").ok()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "nodes/pve1/qemu/100/status/start"),
        ("POST", "nodes/pve1/qemu/100/template"),
        ("DELETE", "nodes/pve1/qemu/100"),
    ],
)
def test_a_task_that_waits_for_a_held_guest_says_so(lab: ServedLab, method: str, path: str) -> None:
    create(lab, 100)
    lab.fault("lock-held", vmid=100)
    task = lab.finish(lab.call(method, path).ok())
    assert task["status"] == HELD
    assert task["log"] == ["trying to acquire lock...", f"TASK ERROR: {HELD}"]


def test_who_gets_the_lock_in_time_goes_on(lab: ServedLab) -> None:
    create(lab, 100)
    lab.fault("lock-held", vmid=100, seconds=5 * CLOCK)
    task = lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    assert (task["status"], task["log"][0]) == ("OK", "trying to acquire lock... OK")


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        ("pool", "cfs-lock 'storage-pool' error: got lock request timeout"),
        ("local", "can't lock file '/var/lock/pve-manager/pve-storage-local' - got timeout"),
    ],
)
def test_a_held_storage_makes_no_volumes(lab: ServedLab, storage: str, text: str) -> None:
    lab.fault("lock-held", storage=storage)
    task = create(lab, 100, scsi0=f"{storage}:8")
    assert task["status"] == f"unable to create VM 100 - {text}"
    assert lab.get("cluster/resources", type="vm") == []
    other = "local" if storage == "pool" else "pool"
    assert create(lab, 101, scsi0=f"{other}:8")["status"] == "OK"


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        ("pool", "cfs-lock 'storage-pool' error: got lock request timeout"),
        ("local", "can't lock file '/var/lock/pve-manager/pve-storage-local' - got timeout"),
    ],
)
def test_a_held_storage_gives_a_guest_no_cloud_init_drive(
    lab: ServedLab, storage: str, text: str
) -> None:
    create(lab, 100)
    lab.fault("lock-held", storage=storage)
    path = "nodes/pve1/qemu/100/config"
    answer = lab.call("PUT", path, ide2=f"{storage}:cloudinit")
    assert (answer.status, answer.reason) == (500, text)
    assert "ide2" not in lab.get(path)
    lab.call("PUT", path, cores="2").ok()  # what makes no volume does not wait
    lab.mend()
    lab.call("PUT", path, ide2=f"{storage}:cloudinit").ok()
    assert lab.get(path)["ide2"].startswith(f"{storage}:")


def test_a_lock_of_the_cluster_is_tried_the_sooner_the_less_time_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, tries = 0.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        tries.append(round(now, 2))

    async def body() -> None:
        locks = Locks(limits(realistic=True))
        async with locks.storage("pool"):
            with pytest.raises(ApiError):
                async with locks.storage("pool"):
                    pass

    monkeypatch.setattr("lab.locks.asyncio.sleep", sleep)
    monkeypatch.setattr("lab.locks.time.monotonic", lambda: now)
    asyncio.run(body())
    assert tries[:7] == [1.0, 1.9, 2.8, 3.6, 4.3, 4.9, 5.5]
    assert 9.8 < tries[-1] < 10


def test_a_held_file_of_the_cluster_refuses_after_ten_seconds(lab: ServedLab) -> None:
    lab.fault("lock-held", file="user.cfg")
    start = time.monotonic()
    answer = lab.call("POST", "pools", poolid="p")
    assert answer.reason == (
        "create pool failed: cfs-lock 'file-user_cfg' error: got lock request timeout"
    )
    assert (time.monotonic() - start) / CLOCK >= 10
    lab.call("POST", "storage", storage="more", type="dir", path="/more").ok()


def test_a_guest_can_be_locked_as_by_a_backup(lab: ServedLab) -> None:
    create(lab, 100)
    lab.fault("guest-locked", vmid=100, text="backup")
    answer = lab.call("PUT", "nodes/pve1/qemu/100/config", cores="2")
    assert (answer.status, answer.reason) == (500, "VM is locked (backup)")
    task = lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    assert task["status"] == "VM is locked (backup)"
    lab.mend()
    assert "lock" not in lab.get("nodes/pve1/qemu/100/config")


def test_sharers_go_together_and_an_owner_waits_for_all_of_them() -> None:
    async def body() -> list[str]:
        locks, seen = Locks(), list[str]()

        async def clone(new: int) -> None:
            async with locks.clone(100, new, running=False):
                seen.append("in")
                await asyncio.sleep(0.02)
                seen.append("out")

        async def change() -> None:
            await asyncio.sleep(0.01)
            async with locks.guest(100):
                seen.append("change")

        await asyncio.gather(clone(101), clone(102), change())
        return seen

    assert asyncio.run(body()) == ["in", "in", "out", "out", "change"]


def test_who_gives_up_waiting_holds_up_nobody() -> None:
    async def body() -> bool:
        locks = Locks(limits(realistic=True, clock=0.005))
        async with locks.guest(100):
            with pytest.raises(ApiError):
                async with locks.guest(100):
                    pass
        async with asyncio.timeout(1), locks.guest(100):
            return True

    assert asyncio.run(body())


def test_a_cancelled_waiter_leaves_the_queue() -> None:
    async def body() -> list[int]:
        locks, seen = Locks(), list[int]()

        async def take(number: int) -> None:
            async with locks.guest(100):
                seen.append(number)

        async with locks.guest(100):
            tasks = [asyncio.ensure_future(take(number)) for number in range(3)]
            await asyncio.sleep(0)
            tasks[1].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    assert asyncio.run(body()) == [0, 2]
