"""Power and migration of watched guests: the call only files a request, the manager acts."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from lab.errors import bad_parameter
from lab.ha.config import RESOURCE, is_managed, queue, sid_of

if TYPE_CHECKING:
    from lab.call import Call
    from lab.section_file import Section
    from lab.tasks import TaskLog

# Set while the manager itself calls.
ACTING: ContextVar[bool] = ContextVar("ha manager acts", default=False)
_TASKS = {"start": "hastart", "stop": "hastop", "shutdown": "hastop", "migrate": "hamigrate"}
_SHUTDOWN_S = 60


async def divert(call: Call, action: str) -> str | None:
    """The task that files a request, or None for a guest that is not watched.

    `action` is start, stop, shutdown or migrate; the manager's own calls are never diverted.
    """
    lab, vmid = call.lab, call.params["vmid"]
    sid = sid_of(lab.store, vmid)
    if ACTING.get() or sid is None or not is_managed(lab.store, sid):
        return None
    if call.params.get("overrule-shutdown"):
        raise bad_parameter("overrule-shutdown", "Not applicable for HA resources.")
    noun = "VM" if sid.startswith("vm:") else "CT"

    async def work(log: TaskLog) -> None:
        if action == "migrate":
            target = call.params["target"]
            log(f"Requesting HA migration for {noun} {vmid} to node {target}")
            queue(lab.store, {"command": "migrate", "sid": sid, "node": target})
        else:
            verb = "start" if action == "start" else "stop"
            log(f"Requesting HA {verb} for {noun} {vmid}")
            _ask(call, sid, action)
        lab.ha.wake()

    return await lab.tasks.start(call, call.params["node"], _TASKS[action], str(vmid), work)


def _ask(call: Call, sid: str, action: str) -> None:
    store = call.lab.store
    state = "started" if action == "start" else "stopped"
    row: Section = {**(store.get(RESOURCE, sid) or {}), "state": state}
    store.put(RESOURCE, sid, row)
    if action != "start":
        timeout = 0 if action == "stop" else call.params.get("timeout", _SHUTDOWN_S)
        queue(store, {"command": "stop", "sid": sid, "timeout": timeout})
