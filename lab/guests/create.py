"""Create a guest: checks that fail the call, then the task that makes disks and configuration."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import ApiError, TaskError, failure, forbidden, late_text
from lab.guests import drives
from lab.guests.checks import check_tags
from lab.guests.disks import (
    Allocation,
    check_drives,
    check_storages,
    resolve_cdrom,
    storages_of,
)
from lab.guests.machines import QEMU_VERSION, pinned_machine
from lab.guests.options import check_written, given_options, refuse
from lab.guests.power import start_task
from lab.guests.record import Guest, load, occupied_by
from lab.guests.restore import Restore
from lab.guests.rights import (
    require,
    require_allocate,
    require_bridges,
    require_devices,
    require_options,
)
from lab.guests.ssh_keys import check_ssh_keys
from lab.guests.update import prepare, stored_password, stored_tags
from lab.guests.watch import require_watch, watch
from lab.routes import handles
from lab.storage.rights import require_space

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog


def check_pool(lab: Lab, pool: str | None) -> None:
    """403, as Proxmox VE answers, when a pool does not exist."""
    if pool is not None and lab.store.get("pool", pool) is None:
        raise forbidden(f"pool '{pool}' does not exist")


@handles("POST", "/nodes/{node}/qemu")
async def create_guest(call: Call) -> str:
    """Create a guest, or restore one from a backup; its number is taken before the task."""
    lab, params = call.lab, call.params
    node, vmid, pool = params["node"], int(params["vmid"]), params.get("pool")
    options = given_options(call)
    check_ssh_keys(options)
    check_pool(lab, pool)
    if storage := params.get("storage"):
        require_space(call, storage)
    require_watch(call)
    if params.get("start"):
        require(call, vmid, pool, "VM.PowerMgmt")
    if params.get("archive"):
        return await _restore(call, options)
    if any("import-from=" in str(options[key]) for key in drives.drive_keys(options)):
        refuse(call, "live-restore")
    require_allocate(call, vmid, pool)
    _check_options(call, options)
    if taken := occupied_by(lab, vmid):
        kind, place = taken
        text = f"unable to create VM {vmid} - {kind} {vmid} already exists on node '{place}'"
        raise failure(text)
    Guest(lab=lab, vmid=vmid, node=node, config={"lock": "create"}).save()

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            await _create(call, load(lab, vmid, node), options, log)
            if pool:
                lab.pool_add(pool, vmid)
        watch(call, f"vm:{vmid}", log)
        if params.get("start") and not params.get("live-restore"):
            log("Execute autostart")
            await start_task(call, node, vmid)

    return await lab.tasks.start(call, node, "qmcreate", str(vmid), work)


def _check_options(call: Call, options: dict[str, Any]) -> None:
    """What a caller may ask for, in Proxmox VE's order; rewrites what it rewrites."""
    params = call.params
    vmid, pool = int(params["vmid"]), params.get("pool")
    resolve_cdrom(options)
    check_storages(call, vmid, options, params.get("storage"))
    require_options(call, vmid, pool, options)
    require_devices(call, vmid, pool, options, "set")
    require_bridges(call, options)
    check_drives(call.lab, options)
    prepare(call.lab, options)


async def _restore(call: Call, options: dict[str, Any]) -> str:
    restore = Restore(call)
    restore.require_allocate()
    restore.check_archive()
    _check_options(call, options)
    return await restore.start(options, restore.take_number())


async def _create(call: Call, guest: Guest, options: dict[str, Any], log: TaskLog) -> None:
    storage = call.params.get("storage")
    allocation = Allocation(guest, storage)
    try:
        for name in storages_of(options, storage):
            async with guest.lab.storage_lock(name, guest.node):
                pass  # making an empty disk takes no time, waiting for one's turn does
        guest.config = _configured(guest, options, allocation, log)
        if "tags" in options:
            check_tags(call, "", options["tags"])
        for name in options:
            check_written(name, str(call.raw.get(name, "")))
        await engine_of(guest.lab).fill(guest)
    except (ApiError, TaskError) as error:
        allocation.undo()
        guest.remove()
        text = late_text(error) if isinstance(error, ApiError) else str(error)
        raise TaskError(f"unable to create VM {guest.vmid} - {text}") from error
    guest.save()


def _configured(
    guest: Guest, options: dict[str, Any], allocation: Allocation, log: TaskLog
) -> dict[str, Any]:
    config = {**options, "meta": f"creation-qemu={QEMU_VERSION},ctime={int(time.time())}"}
    guest.config, made = {"template": options.get("template", 0)}, dict[str, Any]()
    for key in drives.drive_keys(options):
        made[key] = allocation.drive(key, options[key], made)
        if options[key] != made[key]:
            log(f"{key}: successfully created disk '{made[key]}'")
    config |= made
    if not config.get("boot"):
        config["boot"] = drives.print_boot_order(drives.default_boot_order(config))
    config.setdefault("smbios1", f"uuid={uuid.uuid4()}")
    if config.get("vmgenid", "1") == "1" and config.get("arch") != "aarch64":
        config["vmgenid"] = str(uuid.uuid4())
    if machine := pinned_machine(config.get("machine"), config.get("ostype")):
        config["machine"] = machine
    if "tags" in config:
        config["tags"] = stored_tags(guest.lab, config["tags"])
    if "cipassword" in config:
        config["cipassword"] = stored_password(config["cipassword"], config.get("ostype"))
    return config
