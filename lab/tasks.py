"""Long work behind an answer: task ids (UPIDs), logs, results, and what a restart does to them.

A task starts at once; the answer waits up to `grace_s` for it, so that work which ends quickly is
over before its id is known (a caller that polls once a second then polls once). Results and logs
are kept; a task that ran when the lab died is `unexpected status` afterwards, as on a host whose
worker was killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from lab.call import Call
from lab.errors import ApiError, TaskError, late_text
from lab.store import Store, Value

KEPT = 10_000
LOST = "unexpected status"  # of a task whose worker is gone
_UPID = re.compile(
    r"UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):"
    r"([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):"
)
_log = logging.getLogger(__name__)


class TaskLog:
    """The lines of a running task; call it with a text to add one."""

    def __init__(self, task: Value) -> None:
        self.lines: list[str] = task["log"]
        self.warnings = 0

    def __call__(self, text: str) -> None:
        """Add the lines of a text."""
        self.lines.extend(text.splitlines() or [""])

    def warn(self, text: str) -> None:
        """Add a warning; a task with warnings ends as `WARNINGS: n`, which is a success."""
        self.warnings += 1
        self(f"WARN: {text}")


Work = Callable[[TaskLog], Awaitable[None]]
current_log: ContextVar[TaskLog | None] = ContextVar("current_log", default=None)
"""The log of the task in which the caller runs; None outside of tasks."""


class WorkerLostError(Exception):
    """The worker of a task is killed: no result, no last line in its log."""


class Gate(Protocol):
    """What stands between tasks and their work: faults that were asked for."""

    def refuse(self, node: str, kind: str, about: str) -> None:
        """Raise `ApiError` when no worker can be started for a task."""

    async def around(self, caller: Call | str, task: Value, work: Work, log: TaskLog) -> None:
        """Do the work of a task, or what has to happen in its place."""


def parse_upid(upid: str) -> Value | None:
    """The parts of a task id, or None for a text that is none."""
    found = _UPID.fullmatch(upid)
    if not found:
        return None
    node, pid, pstart, started, kind, about, user = found.groups()
    return {
        "upid": upid,
        "node": node,
        "pid": int(pid, 16),
        "pstart": int(pstart, 16),
        "starttime": int(started, 16),
        "type": kind,
        "id": about,
        "user": user,
    }


class Tasks:
    """All tasks of the cluster, newest last."""

    def __init__(self, store: Store, grace_s: float = 0.05, gate: Gate | None = None) -> None:
        self._store = store
        self._grace_s = grace_s
        self._gate = gate
        self._killed: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._pid = os.getpid()
        self._interrupted = False
        self._end_lost()

    async def start(self, caller: Call | str, node: str, kind: str, about: str, work: Work) -> str:
        """Start work as a task of `caller` on `node` and return its UPID.

        `kind` is the type in the id, such as `qmstart`; `about` what it is done to, such as a VMID.

        `work` gets the log. It fails with `TaskError` or `ApiError`, whose text becomes the exit
        status; any other exception is a bug, logged with its traceback.
        """
        user = caller if isinstance(caller, str) else caller.user
        if self._gate is not None:
            self._gate.refuse(node, kind, about)
        upid = self._new_upid(node, kind, about, user)
        task: Value = {**(parse_upid(upid) or {}), "log": [], "status": None, "endtime": None}
        self._store.put("task", upid, task)
        runner = asyncio.create_task(self._run(caller, task, work), name=upid)
        self._running[upid] = runner
        await asyncio.wait([runner], timeout=self._grace_s)
        self._prune()
        return upid

    async def _run(self, caller: Call | str, task: Value, work: Work) -> None:
        """Work, then result; until that is on the disk the task is told to be running."""
        log = TaskLog(task)
        current_log.set(log)
        try:
            status = await self._status(caller, task, work, log)
            if status == "OK" or status.startswith("WARNINGS: "):
                log(f"TASK {status}")
            elif status != LOST:
                log(f"TASK ERROR: {status}")
            self._end(task["upid"], task, status)
            await self._store.flush()
        finally:
            self._running.pop(task["upid"], None)
            self._killed.discard(task["upid"])

    async def _status(self, caller: Call | str, task: Value, work: Work, log: TaskLog) -> str:
        """Do the work; the exit status."""
        try:
            await (self._gate.around(caller, task, work, log) if self._gate else work(log))
        except (TaskError, ApiError) as error:
            return _failure_text(error)
        except WorkerLostError:
            return LOST
        except asyncio.CancelledError:
            if self._interrupted:
                raise  # the lab ends: the next start finds the task without a result
            return LOST if task["upid"] in self._killed else "received interrupt"
        except Exception as error:
            _log.exception("task %s", task["upid"])
            return f"internal error: {error!r}"
        return f"WARNINGS: {log.warnings}" if log.warnings else "OK"

    def _end(self, upid: str, task: Value, status: str) -> None:
        ended = {**task, "status": status, "endtime": int(time.time())}
        self._store.put("task", upid, ended)

    def _new_upid(self, node: str, kind: str, about: str, user: str) -> str:
        self._pid += 1
        pid = self._pid & 0xFFFFFFFF
        ticks = int(time.monotonic() * 100) & 0xFFFFFFFF
        return f"UPID:{node}:{pid:08X}:{ticks:08X}:{int(time.time()):08X}:{kind}:{about}:{user}:"

    def _end_lost(self) -> None:
        for upid, task in self._store.items("task"):
            if task["status"] is None:
                self._end(upid, task, LOST)

    def _prune(self) -> None:
        if self._store.count("task") <= KEPT:
            return
        tasks = self._store.items("task")
        for upid, task in tasks[: max(0, len(tasks) - KEPT)]:
            if task["status"] is not None:
                self._store.delete("task", upid)

    def get(self, upid: str) -> Value | None:
        """The task: parts of its id, `log` lines, `status` (None while it runs), `endtime`."""
        task = self._store.get("task", upid)
        return None if task is None else self._told(task)

    def list(self) -> list[Value]:
        """All tasks, newest first."""
        return [self._told(task) for _, task in reversed(self._store.items("task"))]

    def _told(self, task: Value) -> Value:
        """A result that a kill could still take back is not told."""
        if task["status"] is not None and task["upid"] in self._running:
            return {**task, "status": None, "endtime": None}
        return task

    def running(self, upid: str) -> bool:
        """Whether the task is still at work."""
        return upid in self._running

    def interrupt(self, upid: str) -> None:
        """Ask a running task to end; one that is over is left alone."""
        runner = self._running.get(upid)
        task = self._store.get("task", upid)
        if runner is not None and task is not None and task["status"] is None:
            runner.cancel()

    def kill_all_on(self, node: str) -> None:
        """Kill the workers of a host that is lost; their tasks end without a result of theirs."""
        for upid in list(self._running):
            if upid.split(":")[1] == node:
                self._killed.add(upid)
                self.interrupt(upid)

    async def ended(self, upid: str, seconds: float) -> Value | None:
        """The task when it is over within some seconds, else None."""
        if seconds and (runner := self._running.get(upid)):
            await asyncio.wait([runner], timeout=seconds)
        task = self.get(upid)
        return task if task is not None and task["status"] is not None else None

    async def wait(self, upid: str) -> Value:
        """Wait until a task is over and return it."""
        if runner := self._running.get(upid):
            await asyncio.wait([runner])
        task = self.get(upid)
        if task is None:
            raise KeyError(upid)
        return task

    async def close(self) -> None:
        """End the running tasks, as a host that goes down does; they stay without a result."""
        self._interrupted = True
        runners = list(self._running.values())
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)


def _failure_text(error: TaskError | ApiError) -> str:
    """What failed a task, in one line."""
    text = late_text(error) if isinstance(error, ApiError) else str(error)
    return text.rstrip("\n").replace("\n", " ")
