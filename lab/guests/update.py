"""Change a guest's configuration: what was asked, checked in Proxmox VE's order, then applied."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import TaskError, bad_parameter, bad_parameters, failure
from lab.formats import parse_property_string, split_list
from lab.guests import drives, nets, pending
from lab.guests.checks import (
    check_display,
    check_hook_script,
    check_machine,
    check_tags,
    check_tpm_state,
)
from lab.guests.disks import (
    Allocation,
    check_drives,
    check_storages,
    resolve_cdrom,
    storages_of,
)
from lab.guests.machines import pinned_machine
from lab.guests.options import RUNNING, check_written, given_options, is_windows, option_exists
from lab.guests.passwords import hash_password, is_hashed
from lab.guests.record import Guest, load
from lab.guests.rights import (
    check_root_only,
    require,
    require_bridges,
    require_devices,
    require_drive,
    require_options,
)
from lab.guests.ssh_keys import check_ssh_keys
from lab.guests.tags import unique_tags
from lab.routes import handles
from lab.storage import names
from lab.storage.rights import require_space

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

CONFIG = "/nodes/{node}/qemu/{vmid}/config"
_MIN_SHARES, _MAX_SHARES = 1, 10_000


@dataclass(slots=True, kw_only=True)
class Change:
    """One request to change a guest, and the call it came with."""

    call: Call
    values: dict[str, Any] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    revert: list[str] = field(default_factory=list)
    force: bool = False
    skip_lock: bool = False
    digest: str | None = None

    def may_free(self, volid: str) -> None:
        """403 when the caller may not destroy a volume of the guest."""
        require(self.call, int(self.call.params["vmid"]), None, "VM.Config.Disk")
        require_space(self.call, names.parse_volume_id(volid)[0])


def read_change(call: Call) -> Change:
    """The change a call asks for, checked as far as that goes without the guest."""
    params, vmid = call.params, int(call.params["vmid"])
    check_root_only(call, "skiplock")
    values = given_options(call)
    check_ssh_keys(values)
    if not values and not params.get("delete") and not params.get("revert"):
        raise failure("no options specified")
    resolve_cdrom(values)
    change = Change(
        call=call,
        values=values,
        delete=_deleted(params.get("delete", "")),
        revert=split_list(params.get("revert", "")),
        force=bool(params.get("force")),
        skip_lock=bool(params.get("skiplock")),
        digest=params.get("digest"),
    )
    _check_names(change)
    check_drives(call.lab, values, vmid)
    prepare(call.lab, values)
    if "hookscript" in values:
        check_hook_script(call, values["hookscript"])
    require_options(call, vmid, None, [*change.delete, *values])
    check_storages(call, vmid, values)
    require_bridges(call, values)
    require_devices(call, vmid, None, values)
    return change


def _deleted(text: str) -> list[str]:
    return ["ide2" if name == "cdrom" else name for name in split_list(text)]


def _check_names(change: Change) -> None:
    for name in change.revert:
        if not option_exists(name):
            raise bad_parameter("revert", f"unknown option '{name}'")
        if name in change.values:
            text = f"you can't use '-{name}' and -revert {name}' at the same time"
            raise bad_parameter("delete", text)
    for name in change.delete:
        if name in change.values:
            text = f"you can't use '-{name}' and -delete {name}' at the same time"
            raise bad_parameter("delete", text)
        if name in change.revert:
            text = f"you can't use '-delete {name}' and -revert {name}' at the same time"
            raise bad_parameter("revert", text)
        if not option_exists(name):
            raise bad_parameter("delete", f"unknown option '{name}'")


def prepare(lab: Lab, values: dict[str, Any]) -> None:
    """Rewrite what Proxmox VE rewrites before it looks at the guest."""
    prefix = nets.mac_prefix(lab)
    for key in values:
        if nets.is_net(key):
            values[key] = nets.complete(values[key], prefix)
    if values.get("vmgenid") == "1":
        values["vmgenid"] = str(uuid.uuid4())
    if "cpuunits" in values:
        values["cpuunits"] = min(max(values["cpuunits"], _MIN_SHARES), _MAX_SHARES)


def stored_tags(lab: Lab, text: str) -> str:
    """Tags as the cluster's options want them kept."""
    options = lab.store.get("option", "datacenter") or {}
    return unique_tags(text, str(options.get("tag-style", "")))


def stored_password(password: str, ostype: Any) -> str:
    """The password as it is kept: a hash, except for Windows, which needs the text itself."""
    return password if is_windows(ostype) or is_hashed(password) else hash_password(password)


@handles("PUT", CONFIG)
async def update_config(call: Call) -> None:
    """Change options at once; what a running guest cannot take over waits."""
    change = read_change(call)
    vmid, node = call.params["vmid"], call.params["node"]
    _check(load(call.lab, vmid, node), change)
    async with call.lab.locks.guest(vmid):
        await change_guest(load(call.lab, vmid, node), change)


@handles("POST", CONFIG)
async def update_config_in_task(call: Call) -> str | None:
    """The same as a task; one that ends within `background_delay` seconds is not told."""
    change = read_change(call)
    vmid, node = call.params["vmid"], call.params["node"]
    _check(load(call.lab, vmid, node), change)

    async def work(_log: TaskLog) -> None:
        async with call.lab.locks.guest(vmid):
            await change_guest(load(call.lab, vmid, node), change)

    upid = await call.lab.tasks.start(call, node, "qmconfig", str(vmid), work)
    task = await call.lab.tasks.ended(upid, call.params.get("background_delay", 0))
    if task is None or not call.params.get("background_delay"):
        return upid
    if task["status"] != "OK" and not task["status"].startswith("WARNINGS"):
        raise failure(f"failed to update VM {vmid}: {task['status']}")
    return None


@handles("PUT", "/nodes/{node}/qemu/{vmid}/unlink")
async def unlink(call: Call) -> None:
    """Detach or destroy disks: a configuration change that only deletes."""
    force = bool(call.params.get("force"))
    change = Change(call=call, delete=_deleted(call.params["idlist"]), force=force)
    if not call.params["idlist"]:
        raise failure("no options specified")
    _check_names(change)
    vmid, node = int(call.params["vmid"]), call.params["node"]
    require_options(call, vmid, None, change.delete)
    async with call.lab.locks.guest(vmid):
        await change_guest(load(call.lab, vmid, node), change)


def _check(guest: Guest, change: Change) -> None:
    guest.check_digest(change.digest)
    wakes = "vmstate" in change.delete and guest.config.get("lock") == "suspended"
    if not change.skip_lock and not wakes:
        guest.check_lock()
    if "memory" in change.values or "balloon" in change.values:
        _check_balloon(guest, change.values)


def _check_balloon(guest: Guest, values: dict[str, Any]) -> None:
    memory = values.get("memory") or guest.pending.get("memory") or guest.config.get("memory")
    balloon = values.get("balloon", guest.pending.get("balloon") or guest.config.get("balloon"))
    if balloon and balloon > memory_mib(memory):
        raise failure("balloon value too large (must be smaller than assigned memory)")


def memory_mib(value: Any) -> int:
    """Memory of a guest in MiB; 512 when nothing is set."""
    if value is None:
        return 512
    text = str(value)
    if not text.isdigit():
        text = parse_property_string("pve-qm-memory", text)["current"]
    return int(text)


async def change_guest(guest: Guest, change: Change) -> None:
    """Apply a change to a guest whose lock is held, and write it."""
    _check(guest, change)
    _forget_memory(guest, change)
    _revert(guest, change)
    writer = _Writer(guest, change)
    try:
        writer.delete()
        await writer.set()
        pending.clean(guest)
    finally:
        # Options written before a fault stay pending, as on a real host.
        guest.save()
    if not guest.pending and not guest.pending_delete:
        return
    try:
        await engine_of(guest.lab).fill(guest)  # of disks that were imported
    except TaskError as error:
        raise failure(str(error)) from error
    done: frozenset[str] = frozenset()
    if guest.running:
        errors, done = pending.hotplug(guest, writer.changed, change.may_free)
    else:
        errors = pending.apply(guest, change.may_free)
    guest.save()
    if done:
        await engine_of(guest.lab).reconfigure(guest, done)
    if errors:
        raise bad_parameters(errors)


def _forget_memory(guest: Guest, change: Change) -> None:
    """With the memory of a suspended guest goes what was noted beside it."""
    if "vmstate" not in change.delete:
        return
    if guest.config.get("lock") == "suspended":
        change.delete.append("lock")
    change.delete += [key for key in RUNNING if guest.config.get(key)]


def _revert(guest: Guest, change: Change) -> None:
    for key in change.revert:
        if key in guest.config:
            change.values[key] = guest.config[key]
        elif key in guest.pending:
            change.delete.append(key)


class _Writer:
    """Puts a change into the pending part of a guest's record."""

    def __init__(self, guest: Guest, change: Change) -> None:
        self._guest = guest
        self._change = change
        self._order = drives.boot_order(guest.config)
        self.changed: set[str] = set()

    def delete(self) -> None:
        """Mark options for removal; what needs no device is removed at once."""
        guest = self._guest
        for key in self._change.delete:
            value = guest.config.get(key, guest.pending.get(key))
            if value is None:
                continue
            self.changed.add(key)
            with guest.whole():
                was_pending = guest.pending.pop(key, None)
                if key in self._order:
                    self._boot([device for device in self._order if device != key])
                self._delete_one(key, value, was_pending)

    def _delete_one(self, key: str, value: Any, was_pending: Any) -> None:
        guest = self._guest
        if drives.is_unused(key):
            drive = {"file": str(value)}
            guest.check_protection(f"can't remove unused disk '{value}'")
            require(self._change.call, guest.vmid, None, "VM.Config.Disk")
            pending.deallocate(guest, key, drive, self._change.may_free)
            guest.config.pop(key, None)
            return
        if key == "vmstate":
            guest.check_protection(f"can't remove vmstate '{value}'")
            pending.deallocate(guest, key, {"file": str(value)}, self._change.may_free)
            guest.config.pop(key, None)
            return
        if key == "tags":
            check_tags(self._change.call, str(value), "")
            guest.config.pop(key, None)
            return
        if drives.is_drive(key):
            guest.check_protection(f"can't remove drive '{key}'")
            require_drive(self._change.call, guest.vmid, drives.parse_drive(key, value))
            if was_pending is not None:
                pending.detach(guest, drives.parse_drive(key, was_pending))
        else:
            call = self._change.call
            require_devices(call, guest.vmid, None, {key: value}, "delete")
        guest.pending_delete[key] = int(self._change.force)

    def _boot(self, devices: list[str]) -> None:
        self._order = devices
        self._guest.pending["boot"] = drives.print_boot_order(devices)
        self.changed.add("boot")

    async def set(self) -> None:
        """Put new values where they wait to be taken over; a new volume waits for its storage."""
        guest = self._guest
        # A boot order comes last: it may name drives of the same request, and it must win over
        # the order that grew by their CD drives.
        for key in sorted(self._change.values, key=lambda key: (key == "boot", key)):
            value = self._change.values[key]
            self.changed.add(key)
            if guest.pending.get(key) != value:
                for storage in storages_of({key: value}, None):
                    async with guest.lab.storage_lock(storage, guest.node):
                        pass  # an empty volume takes no time, waiting for one's turn does
                with guest.whole():
                    self._set_one(key, value)
                    guest.pending_delete.pop(key, None)

    def _set_one(self, key: str, value: Any) -> None:
        guest = self._guest
        check_written(key, str(self._change.call.raw.get(key, "")) or str(value))
        if drives.is_drive(key):
            self._set_drive(key, value)
        elif key == "tags":
            check_tags(self._change.call, str(guest.config.get(key, "")), value)
            guest.pending[key] = stored_tags(guest.lab, value)
        elif key == "cipassword":
            guest.config[key] = stored_password(value, guest.config.get("ostype"))
        elif key == "boot":
            guest.pending[key] = self._checked_order(value)
        else:
            if key == "ostype":
                self._pin_machine(value)
            elif key == "vga":
                check_display(value)
            elif key == "machine":
                check_machine(value)
            guest.pending[key] = value

    def _set_drive(self, key: str, value: str) -> None:
        guest = self._guest
        for text in filter(None, (guest.config.get(key), value)):
            require_drive(self._change.call, guest.vmid, drives.parse_drive(key, text))
        if key == "tpmstate0":
            check_tpm_state(guest.config.get(key), value)
        if key in guest.pending:
            pending.detach(guest, drives.parse_drive(key, guest.pending[key]))
        allocation = Allocation(guest)
        guest.pending[key] = allocation.drive(key, value, {})
        new = drives.parse_drive(key, value)
        is_cd = drives.is_cdrom(new, without_cloud_init=True)
        if self._order and is_cd and key not in self._order:
            self._boot([*self._order, key])

    def _checked_order(self, value: str) -> str:
        order = parse_property_string("pve-qm-boot", value).get("order")
        if not order:
            return value
        guest, devices = self._guest, re.split(r"[,;\s]+", order)
        for device in devices:
            exists = any(
                device in values for values in (guest.config, guest.pending, self._change.values)
            )
            if not exists or device in self._change.delete:
                raise failure(f"invalid bootorder: device '{device}' does not exist'")
        if guest.config.get("bootdisk"):
            # The order says all that the older option did.
            guest.pending_delete["bootdisk"] = 0
        return drives.print_boot_order(devices)

    def _pin_machine(self, ostype: str) -> None:
        guest = self._guest
        set_too = "machine" in self._change.values or "machine" in guest.pending
        if set_too or "machine" in self.changed:
            return
        if machine := pinned_machine(guest.config.get("machine"), ostype):
            guest.pending["machine"] = machine
