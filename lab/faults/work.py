"""Faults of tasks: no worker, a killed one, an error, a delay, a warning, a cluster lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import TaskError, failure
from lab.faults import quorum
from lab.faults.rule import Rule
from lab.tasks import TaskLog, WorkerLostError

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.store import Value
    from lab.tasks import Work

NO_WORKER = "got no worker upid - start worker failed"
_MIGRATIONS = ("qmigrate", "vzmigrate")


class TaskGate:
    """Stands between the tasks of a lab and their work."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def refuse(self, node: str, kind: str, about: str) -> None:
        """500 when a fault keeps the worker from starting; what the call wrote so far stays, such
        as a new guest that is locked as `create`."""
        if self._lab.faults.of_task(kind, about, node, start=True):
            raise failure(NO_WORKER)

    async def around(self, caller: Call | str, task: Value, work: Work, log: TaskLog) -> None:
        """Do the work of a task, or what a fault puts in its place."""
        faults = self._lab.faults
        if not faults:
            return await work(log)
        struck = faults.of_task(task["type"], task["id"], task["node"], start=False)
        for rule in struck:
            if rule.kind == "task-delay":
                await asyncio.sleep(rule.get("delay"))
        end = next((r for r in struck if r.kind in ("task-error", "worker-killed")), None)
        if end is not None and not end.get("after"):
            _strike(end)
        self._check_cluster(caller, task, log)
        await work(log)
        if end is not None:
            _strike(end)
        for rule in struck:
            if rule.kind == "task-warning":
                log.warn(rule.get("text"))
        return None

    def _check_cluster(self, caller: Call | str, task: Value, log: TaskLog) -> None:
        node, kind, about = task["node"], task["type"], task["id"]
        target = caller.params.get("target") if isinstance(caller, Call) else None
        if kind in _MIGRATIONS and target is not None and self._lab.faults.offline(str(target)):
            log(f"ERROR: can't reach host '{target}': No route to host")
            raise TaskError("migration aborted")
        if self._lab.faults.quorate:
            return
        if kind.endswith("clone") and isinstance(caller, Call):
            about = str(caller.params.get("newid", about))
        if text := quorum.task_refused(node, kind, about):
            if rule := self._lab.faults.state("no-quorum"):
                rule.fired += 1
            raise TaskError(text)


def _strike(rule: Rule) -> None:
    if rule.kind == "worker-killed":
        raise WorkerLostError
    raise TaskError(rule.get("text"))
