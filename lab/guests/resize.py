"""Grow a disk, move it to another storage, or hand it to another guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.engines import engine_of
from lab.errors import ApiError, TaskError, bad_parameter, bad_parameters, failure, late_text
from lab.guests import drives, replicated
from lab.guests.clone import QEMU
from lab.guests.disks import copy_cloud_init, copy_volume
from lab.guests.drives import Drive
from lab.guests.record import Guest, load
from lab.guests.rights import check_root_only, require
from lab.guests.update import Change, change_guest
from lab.machine import check_neighbours, check_unchanged
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.features import has_feature
from lab.storage.rights import require_space
from lab.storage.sizes import parse_size
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.app import Lab
    from lab.tasks import TaskLog

_MOVE_OR_GIVE = "both 'storage' and 'target-vmid' missing, either needs to be set"
_NOT_BOTH = "either set 'storage' or 'target-vmid', but not both"


@handles("PUT", f"{QEMU}/resize")
async def resize_disk(call: Call) -> str:
    """Grow a disk, to a size or by one (`+1G`)."""
    lab, params = call.lab, call.params
    node, vmid = params["node"], int(params["vmid"])
    check_root_only(call, "skiplock")

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            guest.check_digest(params.get("digest"))
            if not params.get("skiplock"):
                guest.check_lock()
            size = _resize(call, guest, params["disk"], params["size"])
            await engine_of(lab).resize(guest, params["disk"], size)

    return await lab.tasks.start(call, node, "resize", str(vmid), work)


def _resize(call: Call, guest: Guest, key: str, wanted: str) -> int:
    """Note the new size of a disk; the size in bytes."""
    if key not in guest.config:
        raise TaskError(f"disk '{key}' does not exist")
    drive = drives.parse_drive(key, guest.config[key])
    storage, _ = names.parse_volume_id(drive["file"])
    if drives.is_cdrom(drive):
        raise TaskError("you can't resize a cdrom")
    require_space(call, storage)
    rows = volumes(guest.lab)
    row = rows.require(drive["file"], guest.node)
    size = (parse_size(wanted.lstrip("+")) or 0) + (row["size"] if wanted[0] == "+" else 0)
    if size < row["size"]:
        raise TaskError("shrinking disks is not supported")
    if size == row["size"]:
        return size
    _check_writable(guest.lab, row, size)
    rows.update(row, size=size)
    drive["size"] = size
    guest.config[key] = drives.print_drive(drive)
    guest.save()
    return size


def _check_writable(lab: Lab, row: Row, size: int) -> None:
    """A base volume is read-only, which the host only finds when it tries."""
    storage, name = names.parse_volume_id(row["volid"])
    config = storage_config(lab, storage)
    if not names.parse_name(config["type"], name).is_base:
        return
    path, kind = definitions.location(lab, row["volid"]), row["format"]
    ahead = "'--preallocation=metadata' " if kind == "qcow2" else ""
    command = f"/usr/bin/qemu-img resize {ahead}-f {kind} {path} {size}"
    raise TaskError(f"command '{command}' failed: exit code 1")


@handles("POST", f"{QEMU}/move_disk")
async def move_disk(call: Call) -> str:
    """Move a disk to another storage or format, or to another guest."""
    params = call.params
    storage, target = params.get("storage"), params.get("target-vmid")
    if storage is not None and target is not None:
        raise bad_parameters({"target-vmid": _NOT_BOTH, "storage": _NOT_BOTH})
    if target is not None:
        return await _give(call, int(target))
    if storage is not None:
        return await _move(call, storage)
    raise bad_parameters({"storage": _MOVE_OR_GIVE, "target-vmid": _MOVE_OR_GIVE})


async def _move(call: Call, storage: str) -> str:
    lab, params = call.lab, call.params
    node, vmid, key = params["node"], int(params["vmid"]), params["disk"]
    require_space(call, storage)
    _check_move(call, load(lab, vmid, node))

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            drive = _check_move(call, guest)
            rows = volumes(lab)
            old = rows.require(drive["file"], node)
            log(f"copying volume '{old['volid']}' to target storage '{storage}'")
            if guest.running and key == "tpmstate0":
                text = "cannot move TPM state while VM is running"
                raise TaskError(f"storage migration failed: {text}")
            cloud_init = drives.is_cloud_init(drive)
            copy = copy_cloud_init if cloud_init else copy_volume
            new = await _copied(guest, old, copy, storage, params.get("format"))
            if guest.template:
                new = rows.make_base(new)
            _attach_moved(guest, key, drive, new)
            if guest.in_snapshot(old["volid"]):
                log("moving disk with snapshots, snapshots will not be moved!")
            if not params.get("delete") and not cloud_init:
                drives.add_unused(guest.config, old["volid"])
            guest.save()
            if params.get("delete") or cloud_init:
                _free(guest, old, log)

    return await lab.tasks.start(call, node, "qmmove", str(vmid), work)


def _free(guest: Guest, row: Row, log: TaskLog) -> None:
    """Destroy a volume that was moved; that it cannot be is only told."""
    try:
        volumes(guest.lab).free(row["volid"], guest.node)
    except ApiError as error:
        log(error.message)


async def _copied(
    guest: Guest, old: Row, copy: Callable[..., Row], storage: str, kind: str | None
) -> Row:
    """A full copy of a disk; nothing stays of one that fails."""
    rows = volumes(guest.lab)
    try:
        new = copy(guest, old, storage, kind)
    except ApiError as error:
        raise TaskError(f"storage migration failed: {late_text(error)}") from error
    try:
        await engine_of(guest.lab).fill(guest)
    except TaskError as error:
        rows.free(new["volid"], guest.node)
        raise TaskError(f"storage migration failed: {error}") from error
    return rows.require(new["volid"], guest.node)


def _attach_moved(guest: Guest, key: str, drive: Drive, row: Row) -> None:
    if drives.is_unused(key):
        guest.config[key] = row["volid"]
        return
    kept = {name: value for name, value in drive.items() if name != "format"}
    guest.config[key] = drives.print_drive(kept | {"file": row["volid"], "size": row["size"]})


def _check_move(call: Call, guest: Guest) -> Drive:
    lab, key, storage = call.lab, call.params["disk"], call.params["storage"]
    guest.check_lock()
    check_unchanged(guest, call.params.get("digest"))
    if key not in guest.config:
        raise failure(f"disk '{key}' does not exist")
    drive = drives.parse_drive(key, guest.config[key])
    if drives.is_cdrom(drive, without_cloud_init=True):
        raise failure("you can't move a cdrom")
    old, name = names.parse_volume_id(drive["file"])
    now = names.parse_name(storage_config(lab, old)["type"], name).format
    if old == storage and call.params.get("format") in (None, now):
        raise failure("you can't move to the same storage with same format")
    config = storage_config(lab, storage, guest.node)
    if "images" not in definitions.contents(config):
        raise bad_parameter("storage", f"storage '{storage}' does not support vm images")
    if call.params.get("delete") and guest.in_snapshot(drive["file"]):
        raise failure("you can't move a disk with snapshots and delete the source")
    return drive


async def _give(call: Call, target: int) -> str:
    lab, params = call.lab, call.params
    node, vmid, key = params["node"], int(params["vmid"]), params["disk"]
    slot = params.get("target-disk", key)
    require(call, target, None, "VM.Config.Disk")
    if target == vmid:
        text = "must be different than source VMID to reassign disk"
        raise bad_parameter("target-vmid", text)
    giver, _ = _check_give(call, (vmid, key), (target, slot))
    drive = drives.parse_drive(key, giver.config[key])
    require_space(call, names.parse_volume_id(drive["file"])[0])

    async def work(log: TaskLog) -> None:
        first, second = sorted((vmid, target))
        async with lab.locks.guest(first), lab.locks.guest(second):
            giver, taker = _check_give(call, (vmid, key), (target, slot))
            log(f"reassign disk '{key}' from VM '{vmid}' as '{slot}' to VM '{target}'")
            await _hand_over(call, log, (giver, key), (taker, slot))

    about = f"{vmid}-{key}>{target}-{slot}"
    return await lab.tasks.start(call, node, "qmmove", about, work)


def _check_give(
    call: Call, source: tuple[int, str], target: tuple[int, str]
) -> tuple[Guest, Guest]:
    giver, taker = _both(call.lab, call.params["node"], source[0], target[0])
    key, slot = source[1], target[1]
    if giver.template or taker.template:
        raise failure("Can't move disks from or to template VMs")
    check_unchanged(giver, call.params.get("digest"), f"VM {giver.vmid}: ")
    check_unchanged(taker, call.params.get("target-digest"), f"VM {taker.vmid}: ")
    if key not in giver.config:
        raise failure(f"Disk '{key}' for VM '{giver.vmid}' does not exist")
    if slot in taker.config:
        raise failure(f"Target disk key '{slot}' is already in use for VM '{taker.vmid}'")
    drive = drives.parse_drive(key, giver.config[key])
    volume = drive["file"]
    if drives.is_cdrom(drive, without_cloud_init=True):
        raise failure("CD drive contents can't be moved to another VM")
    if names.split_volume_id(volume) is None:
        raise failure(f"Volume '{volume}' not managed by PVE")
    if giver.in_snapshot(volume):
        raise failure("Can't move disk used by a snapshot to another VM")
    if not has_feature(giver.lab, volume, "rename"):
        raise failure("Storage does not support moving of this disk to another VM")
    if giver.running and not drives.is_unused(key):
        text = "Cannot move disk to another VM while the source VM is running - detach first"
        raise failure(text)
    storage = names.parse_volume_id(volume)[0]
    if replicated.targets(call.lab, taker.vmid) and not replicated.can_send(call.lab, storage):
        text = "Cannot move disk to a replicated VM. Storage does not support replication!"
        raise failure(text)
    return giver, taker


def _both(lab: Lab, node: str, vmid: int, other: int) -> tuple[Guest, Guest]:
    """The guest that gives and the one that takes, on one host and not locked."""
    check_neighbours(lab, ("VM", vmid), ("target VM", other), "VMs")
    found = []
    for each in (vmid, other):
        guest = load(lab, each, node)
        guest.check_lock()
        found.append(guest)
    return found[0], found[1]


async def _hand_over(
    call: Call, log: TaskLog, source: tuple[Guest, str], target: tuple[Guest, str]
) -> None:
    (giver, key), (taker, slot) = source, target
    rows = volumes(giver.lab)
    drive = drives.parse_drive(key, giver.config[key])
    row = rows.require(drive["file"], giver.node)
    drive["file"] = rows.hand_over(row, giver.node, taker.vmid)["volid"]
    order = drives.boot_order(giver.config)
    if key in order:
        log(f"removing disk '{key}' from boot order config")
        giver.config["boot"] = drives.print_boot_order([d for d in order if d != key])
    log(f"removing disk '{key}' from VM '{giver.vmid}' config")
    del giver.config[key]
    giver.save()
    if drives.is_unused(slot):
        taker.config[slot] = drive["file"]
        taker.save()
        return
    await change_guest(taker, Change(call=call, values={slot: drives.print_drive(drive)}))
