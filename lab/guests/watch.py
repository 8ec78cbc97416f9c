"""`ha-managed`: a new guest that the HA manager is to watch from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.ha.config import RESOURCE

if TYPE_CHECKING:
    from lab.call import Call
    from lab.tasks import TaskLog


def require_watch(call: Call) -> None:
    """403 when the caller asks for `ha-managed` and may not."""
    if call.params.get("ha-managed") and not call.is_root:
        call.lab.rights.require(call.user, "/", ["Sys.Console"])


def watch(call: Call, sid: str, log: TaskLog) -> None:
    """Have the manager watch a guest that was just made, when that was asked for."""
    if not call.params.get("ha-managed"):
        return
    state = "started" if call.params.get("start") else "stopped"
    log("Add as HA resource")
    call.lab.store.put(RESOURCE, sid, {"state": state})
    call.lab.ha.wake()
