"""The order `open-disk`: the files of a guest that is off, for who repairs it from below.

`{"do": "open-disk", "vmid": 101}` is answered with `{"process", "place"}` (see `Disk`), which are
good until the connection ends. As long as it lasts, the guest's lock is held: it does not start,
and nobody changes it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from lab.engines import engine_of
from lab.errors import TaskError

if TYPE_CHECKING:
    from lab.app import Lab


async def open_disk(lab: Lab, order: dict[str, Any], held: AsyncExitStack) -> dict[str, Any]:
    """Mount the disk of a guest for as long as `held` is; `TaskError` when it may not be."""
    from lab.guests.record import find_row, from_row  # it reads most of the lab's rooms

    vmid = int(order.get("vmid") or 0)
    await held.enter_async_context(lab.locks.guest(vmid))
    row = find_row(lab, vmid)
    if row is None:
        raise TaskError(f"VM {vmid} does not exist")
    guest = from_row(lab, vmid, row)
    if guest.running:
        raise TaskError(f"VM {vmid} is running: switch it off first")
    if guest.template:
        raise TaskError(f"VM {vmid} is a template: others read from its disk")
    guest.check_lock()
    disk = await held.enter_async_context(engine_of(lab).disk(guest))
    return {"process": disk.process, "place": disk.place}
