"""Tasks: ids, logs, ends, interruption and restarts."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from lab.errors import TaskError, bad_parameter, failure, forbidden
from lab.store import Store
from lab.tasks import TaskLog, Tasks, parse_upid
from tests.lab.served import ServedLab

UPID = re.compile(r"UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:qmstart:100:root@pam!t:")


def run(store: Store, body: Callable[[Tasks], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    async def inside() -> Any:
        return await body(Tasks(store, **options))

    return asyncio.run(inside())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "lab.db")


def ended(store: Store, work: Callable[[TaskLog], Coroutine[Any, Any, None]]) -> dict[str, Any]:
    async def body(tasks: Tasks) -> dict[str, Any]:
        upid = await tasks.start("root@pam!t", "pve1", "qmstart", "100", work)
        assert UPID.fullmatch(upid)
        return await tasks.wait(upid)

    found: dict[str, Any] = run(store, body)
    return found


async def _fine(log: TaskLog) -> None:
    log("one\ntwo")


async def _warned(log: TaskLog) -> None:
    log.warn("beware")


async def _task_error(log: TaskLog) -> None:
    raise TaskError("no luck")


async def _api_error(log: TaskLog) -> None:
    raise failure("storage 'x' does not exist")


async def _parameter_error(log: TaskLog) -> None:
    raise bad_parameter("tag", "missing")


@pytest.mark.parametrize(
    ("work", "status", "lines"),
    [
        (_fine, "OK", ["one", "two", "TASK OK"]),
        (_warned, "WARNINGS: 1", ["WARN: beware", "TASK WARNINGS: 1"]),
        (_task_error, "no luck", ["TASK ERROR: no luck"]),
        (
            _api_error,
            "storage 'x' does not exist",
            ["TASK ERROR: storage 'x' does not exist"],
        ),
    ],
)
def test_a_task_ends_with_its_text_as_status_and_last_line(
    store: Store,
    work: Callable[[TaskLog], Coroutine[Any, Any, None]],
    status: str,
    lines: list[str],
) -> None:
    task = ended(store, work)
    assert (task["status"], task["log"]) == (status, lines)


def test_faults_of_parameters_inside_a_task_are_told_in_full(store: Store) -> None:
    assert ended(store, _parameter_error)["status"] == (
        "400 Parameter verification failed. tag: missing"
    )


def test_a_right_that_is_missing_inside_a_task_is_told_with_its_status(store: Store) -> None:
    async def work(_log: TaskLog) -> None:
        raise forbidden("/vms/100, VM.Backup")

    text = "403 Permission check failed (/vms/100, VM.Backup)"
    assert ended(store, work)["status"] == text


def test_a_bug_in_a_task_is_not_hidden(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def work(log: TaskLog) -> None:
        raise ZeroDivisionError

    assert ended(store, work)["status"] == "internal error: ZeroDivisionError()"
    assert "Traceback" in caplog.text


def test_fast_work_is_over_before_its_id_is_known(store: Store) -> None:
    async def body(tasks: Tasks) -> bool:
        return tasks.running(await tasks.start("root@pam", "pve1", "x", "", _fine))

    assert run(store, body, grace_s=5.0) is False


def test_slow_work_goes_on_after_its_id_is_known(store: Store) -> None:
    async def slow(log: TaskLog) -> None:
        await asyncio.sleep(0.2)

    async def body(tasks: Tasks) -> tuple[bool, str]:
        upid = await tasks.start("root@pam", "pve1", "x", "", slow)
        return tasks.running(upid), (await tasks.wait(upid))["status"]

    assert run(store, body, grace_s=0.01) == (True, "OK")


def test_an_interrupted_task_says_so(store: Store) -> None:
    async def forever(log: TaskLog) -> None:
        await asyncio.sleep(60)

    async def body(tasks: Tasks) -> str:
        upid = await tasks.start("root@pam", "pve1", "x", "", forever)
        tasks.interrupt(upid)
        status: str = (await tasks.wait(upid))["status"]
        return status

    assert run(store, body, grace_s=0) == "received interrupt"


def test_a_result_is_told_only_when_a_kill_cannot_take_it_back(store: Store) -> None:
    busy = threading.Event()

    async def body(tasks: Tasks) -> list[Any]:
        store._writer.submit(busy.wait)  # the disk is slow
        upid = await tasks.start("root@pam", "pve1", "x", "", _fine)
        await asyncio.sleep(0.02)
        tasks.interrupt(upid)
        before = tasks.get(upid), tasks.list()[0]
        busy.set()
        return [*(task and task["status"] for task in before), (await tasks.wait(upid))["status"]]

    assert run(store, body, grace_s=0) == [None, None, "OK"]


def test_a_task_that_ran_when_the_lab_ended_is_unexpected_afterwards(store: Store) -> None:
    async def forever(log: TaskLog) -> None:
        await asyncio.sleep(60)

    async def body(tasks: Tasks) -> str:
        upid = await tasks.start("root@pam", "pve1", "x", "", forever)
        await tasks.close()
        return upid

    upid = run(store, body, grace_s=0)
    path = store.path
    store.close()
    task = Tasks(Store(path)).get(upid)
    assert task is not None
    assert task["status"] == "unexpected status"


def test_ids_differ_within_a_moment(store: Store) -> None:
    async def body(tasks: Tasks) -> set[str]:
        return {await tasks.start("root@pam", "pve1", "x", "", _fine) for _ in range(20)}

    assert len(run(store, body)) == 20


@pytest.mark.parametrize("text", ["junk", "UPID:a:b", "UPID:pve1:1:1:1:x:y:root@pam:"])
def test_text_that_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert parse_upid(text) is None


def test_the_list_of_tasks_is_filtered_and_counted(lab: ServedLab) -> None:
    for vmid in ("100", "101"):
        lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid=vmid).ok())
    lab.finish(lab.call("POST", "nodes/pve1/qemu/999/status/start").ok())
    answer = lab.call("GET", "nodes/pve1/tasks", limit="2")
    assert [task["type"] for task in answer.ok()] == ["qmstart", "qmcreate"]
    assert answer.extra == {"total": 3}
    assert [t["id"] for t in lab.get("nodes/pve1/tasks", vmid="100")] == ["100"]
    assert [t["id"] for t in lab.get("nodes/pve1/tasks", errors="1")] == ["999"]
    assert lab.get("nodes/pve2/tasks") == []
    assert {task["node"] for task in lab.get("cluster/tasks")} == {"pve1"}


def test_a_log_is_read_in_parts(lab: ServedLab) -> None:
    upid = lab.call("PUT", "nodes/pve1/network").ok()
    lab.finish(upid)
    answer = lab.call("GET", f"nodes/pve1/tasks/{upid}/log", start="0", limit="1")
    assert (answer.ok(), answer.extra) == ([{"n": 1, "t": "TASK OK"}], {"total": 1})
    assert lab.get(f"nodes/pve1/tasks/{upid}/log", start="1") == []


def test_finished_tasks_are_kept_across_a_restart(lab: ServedLab) -> None:
    upid = lab.call("PUT", "nodes/pve1/network").ok()
    lab.finish(upid)
    lab.restart()
    assert lab.get(f"nodes/pve1/tasks/{upid}/status")["exitstatus"] == "OK"


def test_tasks_are_their_own_hosts(lab: ServedLab) -> None:
    upid = lab.call("POST", "nodes/pve2/qemu", vmid="100").ok()
    lab.finish(upid)
    assert lab.get(f"nodes/pve2/tasks/{upid}/status")["exitstatus"] == "OK"
    for method, path in (("GET", "/status"), ("DELETE", "")):
        answer = lab.call(method, f"nodes/pve1/tasks/{upid}{path}")
        assert (answer.status, answer.errors) == (400, {"upid": "no such task"})
    assert lab.get(f"nodes/pve1/tasks/{upid}/log") == [
        {"n": 1, "t": "unable to open file - No such file or directory"}
    ]


def test_a_download_of_a_log_is_of_all_of_it(lab: ServedLab) -> None:
    upid = lab.call("POST", "nodes/pve1/qemu", vmid="100").ok()
    answer = lab.call("GET", f"nodes/pve1/tasks/{upid}/log", download="1", limit="5")
    assert (answer.status, answer.reason) == (
        500,
        "'download' cannot be used together with 'start' or 'limit' parameters",
    )


def test_a_user_sees_the_tasks_of_own_tokens_and_a_token_only_its_own(lab: ServedLab) -> None:
    lab.call("POST", "access/users", userid="u@pve", password="correct-horse").ok()
    lab.call("PUT", "access/acl", path="/", roles="PVEVMAdmin", users="u@pve").ok()
    user = lab.ticket_client("u@pve", "correct-horse")
    first, second = (lab.token_client("u@pve", name, privsep="0") for name in ("t1", "t2"))
    for vmid, client in (("100", user), ("101", first), ("102", second)):
        lab.finish(client.call("POST", "nodes/pve1/qemu", vmid=vmid).ok())
    seen = [
        {task["id"] for task in client.call("GET", path).ok()}
        for client in (user, first)
        for path in ("nodes/pve1/tasks?typefilter=", "cluster/tasks")
    ]
    assert seen == [{"100", "101", "102"}, {"100", "101", "102"}, {"101"}, set()]
