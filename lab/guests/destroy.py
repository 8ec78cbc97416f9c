"""Destroy a guest with its disks, and what else in the cluster was about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.engines import engine_of
from lab.errors import TaskError, failure
from lab.guests import drives, pending
from lab.guests.record import Guest, load
from lab.guests.rights import check_root_only
from lab.ha.config import check_removable
from lab.routes import handles
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog


@handles("DELETE", "/nodes/{node}/qemu/{vmid}")
async def destroy_guest(call: Call) -> str:
    """Destroy a guest that is off."""
    lab, params = call.lab, call.params
    node, vmid = params["node"], int(params["vmid"])
    check_root_only(call, "skiplock")
    _check(call, load(lab, vmid, node))

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            _check(call, guest)
            if not params.get("skiplock") and guest.config.get("lock") != "suspended":
                guest.check_lock()
            _check_clones(guest)
            await engine_of(lab).destroy(guest)
            _free_volumes(guest, unreferenced=bool(params.get("destroy-unreferenced-disks")))
            if params.get("purge"):
                log(f"purging VM {vmid} from related configurations..")
            lab.on_guest_gone(vmid, bool(params.get("purge")))
            guest.remove()

    return await lab.tasks.start(call, node, "qmdestroy", str(vmid), work)


def _check(call: Call, guest: Guest) -> None:
    guest.check_protection(f"can't remove VM {guest.vmid}")
    if not call.params.get("purge"):
        check_removable(guest.lab.store, guest.vmid, "VM")
    if guest.running:
        raise failure(f"VM {guest.vmid} is running - destroy failed")


def _check_clones(guest: Guest) -> None:
    if not guest.template:
        return
    rows = volumes(guest.lab)
    for volid in _disks(guest):
        row = rows.get(volid, guest.node)
        if row is not None and rows.clones(row):
            raise TaskError(f"base volume '{volid}' is still in use by linked cloned")


def _disks(guest: Guest) -> list[str]:
    """The volumes that the guest's configuration names, unused and pending ones included."""
    found: dict[str, None] = {}
    for config in (guest.config, guest.pending):
        for key, value in config.items():
            if drives.is_unused(key):
                found[str(value)] = None
            elif drives.is_drive(key):
                drive = drives.parse_drive(key, value)
                if not drives.is_cdrom(drive, without_cloud_init=True):
                    found[drive["file"]] = None
    memory = (snap.get("vmstate") for snap in (guest.config, *guest.snapshots.values()))
    return [*found, *filter(None, memory)]


def _free_volumes(guest: Guest, *, unreferenced: bool) -> None:
    rows = volumes(guest.lab)
    for volid in _disks(guest):
        if pending.is_owner(guest, volid):
            rows.free(volid, guest.node)
    if unreferenced:
        for row in rows.of_guest(guest.vmid, guest.node):
            rows.free(row["volid"], guest.node)
