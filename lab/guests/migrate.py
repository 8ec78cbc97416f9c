"""Bring a guest to another host, on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.engines import engine_of
from lab.errors import ApiError, TaskError, bad_parameter, failure
from lab.formats import split_list
from lab.guests import drives, replicated
from lab.guests.clone import QEMU, check_target
from lab.guests.conditions import tied
from lab.guests.disks import copy_volume
from lab.guests.record import Guest, load
from lab.guests.rights import check_root_only, require
from lab.guests.scan import check_volumes, used
from lab.ha.requests import divert
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

StorageMap = dict[str, str]
_DEFAULT = ""


@handles("POST", f"{QEMU}/migrate")
async def migrate_guest(call: Call) -> str:
    """Migrate; volumes on storages that are not shared are copied."""
    lab, params = call.lab, call.params
    node, vmid, target = params["node"], int(params["vmid"]), params["target"]
    if target == node:
        raise bad_parameter("target", "target is local node.")
    check_target(lab, target)
    check_root_only(call, "force", "migration_type", "migration_network")
    storages = _check(call, load(lab, vmid, node))
    if upid := await divert(call, "migrate"):
        return upid

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            guest.check_lock()
            log(f"starting migration of VM {vmid} to node '{target}'")
            await _migrate(
                guest, target, storages, log,
                with_local_disks=bool(call.params.get("with-local-disks")),
                force=bool(call.params.get("force")),
            )  # fmt: skip
            log("migration finished successfully")

    return await lab.tasks.start(call, node, "qmigrate", str(vmid), work)


def _check(call: Call, guest: Guest) -> StorageMap:
    guest.check_lock()
    if guest.running and not call.params.get("online"):
        raise failure("can't migrate running VM without --online")
    target = call.params["target"]
    copies = replicated.targets(call.lab, guest.vmid)
    if guest.running and copies and target not in copies and not call.params.get("force"):
        text = f"Cannot live-migrate replicated VM to node '{target}' - not a replication target."
        raise failure(f"{text} Use 'force' to override.")
    storages = read_storage_map(call.params.get("targetstorage", ""))
    if storages:
        require(call, guest.vmid, None, "VM.Config.Disk")
    for storage in storages.values():
        config = storage_config(call.lab, storage, target)
        require_space(call, storage)
        if "images" not in definitions.contents(config):
            raise failure(f"storage '{storage}' does not support vm images")
    if not storages:
        _check_storages(guest, target)
    return storages


def _check_storages(guest: Guest, target: str) -> None:
    """500 when a storage of the guest is not here, not there, or no longer for such volumes."""
    for key in drives.DRIVES:
        if key not in guest.config:
            continue
        volid = drives.parse_drive(key, guest.config[key])["file"]
        if (name := names.split_volume_id(volid)) is None:
            continue
        config = storage_config(guest.lab, name[0], guest.node)
        storage_config(guest.lab, name[0], target)
        content = names.parse_name(config["type"], name[1]).content
        if content not in definitions.contents(config):
            text = f"content type '{content}' is not available on storage '{name[0]}'"
            raise failure(f"{volid}: {text}")


def read_storage_map(text: str, name: str = "targetstorage") -> StorageMap:
    """`a:b,c` sends volumes of a to b and all others to c; `1` keeps every storage."""
    storages: StorageMap = {}
    parts = split_list(text)
    for part in (part for part in parts if part != "1"):
        source, colon, target = part.partition(":")
        if (source if colon else _DEFAULT) in storages:
            fault = (
                f"duplicate mapping for source '{source}'"
                if colon
                else "default target ID can only be provided once"
            )
            raise bad_parameter(name, f"failed to parse storage map: {fault}\n")
        storages[source if colon else _DEFAULT] = target if colon else source
    if storages and "1" in parts:
        fault = "identity mapping cannot be combined with other mappings"
        raise bad_parameter(name, f"failed to parse storage map: {fault}\n")
    return storages


def target_of(storages: StorageMap, storage: str) -> str:
    """Where volumes of a storage go."""
    return storages.get(storage) or storages.get(_DEFAULT) or storage


async def _migrate(
    guest: Guest,
    target: str,
    storages: StorageMap,
    log: TaskLog,
    *,
    with_local_disks: bool,
    force: bool,
) -> None:
    lab = guest.lab
    try:
        _check_devices(guest, target, log, force=force)
        check_volumes(guest, with_local_disks=with_local_disks, log=log)
        moved = _move_volumes(guest, target, storages, log)
    except ApiError as error:
        log(f"ERROR: {error.message}")
        raise TaskError("migration aborted") from error
    await engine_of(lab).migrate(guest, target, log)
    guest.config |= moved
    replicated.follow(lab, guest.vmid, guest.node, target)
    guest.node = target
    guest.save()


def _check_devices(guest: Guest, target: str, log: TaskLog, *, force: bool) -> None:
    """500 for devices of this host, and for named ones that the other host does not have."""
    devices = tied(guest)
    if local := [key for key in devices.keys if key not in devices.mapped]:
        if not force:
            raise failure(f"can't migrate VM which uses local devices: {', '.join(local)}")
        log("migrating VM which uses local devices")
    if missing := devices.missing.get(target):
        text = f"missing mapped devices {', '.join(missing)}"
        raise failure(f"can't migrate to '{target}': {text}")
    fixed = [
        f"{key}:{device['name']}"
        for key, device in sorted(devices.mapped.items())
        if not device.get("live-migration")
    ]
    if guest.running and fixed:
        text = "can't live migrate running VM which uses following mapped devices"
        raise failure(f"{text}: {', '.join(fixed)}")


def _move_volumes(guest: Guest, target: str, storages: StorageMap, log: TaskLog) -> dict[str, str]:
    """Bring local volumes to the target; the drives whose storage changed."""
    lab, rows, changed = guest.lab, volumes(guest.lab), dict[str, str]()
    for each in used(guest):
        row = rows.get(each.volume, guest.node)
        if row is None or row["node"] is None:
            continue
        wanted = target_of(storages, row["storage"])
        log(f"found local disk '{row['volid']}' (attached)")
        if wanted == row["storage"]:
            rows.carry(row, target)
            continue
        there = Guest(lab=lab, vmid=guest.vmid, node=target)
        # The content is the same afterwards: a file that an engine keeps it in goes along.
        new = rows.update(copy_volume(there, row, wanted), file=row.get("file"), copy_of=None)
        rows.update(row, file=None)
        rows.free(row["volid"], guest.node)
        is_unused = drives.is_unused(each.key)
        drive = each.drive | {"file": new["volid"]}
        changed[each.key] = new["volid"] if is_unused else drives.print_drive(drive)
    return changed
