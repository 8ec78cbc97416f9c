"""Calls that the lab makes to its own guests for somebody: the manager of services, and whoever
asks for something of many guests at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.routes import handlers

if TYPE_CHECKING:
    from lab.app import Lab


async def ask_guest(
    lab: Lab, user: str, method: str, place: tuple[str, str, int], action: str, **params: Any
) -> Any:
    """What a method of a guest answers; `ApiError` when it refuses.

    `place` is the guest's host, kind (`qemu` or `lxc`) and number, `action` the path below it.
    """
    node, kind, vmid = place
    pattern = f"/nodes/{{node}}/{kind}/{{vmid}}/{action}"
    call = Call(
        lab=lab,
        method=method,
        path=f"/nodes/{node}/{kind}/{vmid}/{action}",
        pattern=pattern,
        params={"node": node, "vmid": vmid, **params},
        user=user,
    )
    return await handlers()[method, pattern](call)


async def act_on_guest(
    lab: Lab, user: str, place: tuple[str, str, int], action: str, **params: Any
) -> str:
    """How the task ended that does something to a guest; `ApiError` when it is refused."""
    upid = await ask_guest(lab, user, "POST", place, action, **params)
    return str((await lab.tasks.wait(upid))["status"])


def went_well(status: str) -> bool:
    """Whether a task has done its work."""
    return status == "OK" or status.startswith("WARNINGS: ")
