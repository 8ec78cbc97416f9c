"""Suspend to disk: the memory goes to a volume, the guest is off, and its next start goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure
from lab.guests import memory
from lab.guests.options import RUNNING
from lab.guests.rights import require
from lab.ha.config import is_managed, sid_of
from lab.storage.rights import require_space
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.guests.record import Guest
    from lab.tasks import TaskLog


def check_hibernation(call: Call, guest: Guest) -> str:
    """Refuse what cannot be saved; the storage that is to have the memory."""
    store = call.lab.store
    if is_managed(store, sid_of(store, guest.vmid)):
        raise failure("Cannot suspend HA managed VM to disk")
    require(call, guest.vmid, None, "VM.Config.Disk")
    if any(key.startswith("hostpci") for key in guest.config):
        raise failure(
            "cannot suspend VM to disk due to passed-through PCI device(s), which lack the "
            "possibility to save/restore their internal state"
        )
    storage = call.params.get("statestorage") or memory.state_storage(guest)
    require_space(call, storage)
    return str(storage)


async def hibernate(guest: Guest, storage: str, log: TaskLog, *, skip_lock: bool) -> None:
    """Save the memory of a guest whose lock is held, and cut its power."""
    if not skip_lock:
        guest.check_lock()
    memory.check_blockers(guest.config, with_memory=True)
    guest.config["lock"] = "suspending"
    memory.save(guest, guest.config, storage, f"state-suspend-{time.strftime('%Y-%m-%d')}")
    guest.save()
    await engine_of(guest.lab).snapshot(guest, "suspend", True)
    await engine_of(guest.lab).stop(guest, log)
    guest.config["lock"] = "suspended"
    guest.save()


def wake(guest: Guest, log: TaskLog) -> None:
    """Forget that a guest was suspended: its memory is taken over by the start that follows."""
    log("Resuming suspended VM")
    guest.config.pop("lock", None)
    for key in RUNNING:
        guest.config.pop(key, None)
    if volid := guest.config.pop("vmstate", None):
        volumes(guest.lab).free(volid, guest.node)
    guest.save()
