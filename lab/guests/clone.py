"""Clone a guest (linked or full), and make a guest a template that linked clones share."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import ApiError, TaskError, bad_parameter, failure, late_text
from lab.formats import parse_property_string, print_property_string
from lab.guests import drives, nets
from lab.guests.create import check_pool
from lab.guests.disks import copy_cloud_init, copy_volume
from lab.guests.drives import Drive
from lab.guests.record import Guest, find_row, from_row, load, missing_file, occupied_by
from lab.guests.rights import require_allocate, require_clone
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.features import has_feature
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.locks import Hold
    from lab.tasks import TaskLog

# What is seen of a clone before it is made.
_UNFINISHED = {"lock": "clone", "description": " qmclone temporary file"}
QEMU = "/nodes/{node}/qemu/{vmid}"
# State of one guest that makes no sense in another.
_NOT_COPIED = frozenset(
    {"parent", "snaptime", "snapstate", "vmstate", "runningcpu", "runningmachine",
     "running-nets-host-mtu", "template", "lock"}
)  # fmt: skip


def check_target(lab: Lab, target: str) -> None:
    """500 when a host to clone or migrate to is not in the cluster."""
    if lab.store.get("node", target) is None:
        raise failure(f"no such cluster node '{target}'")


@handles("POST", f"{QEMU}/clone")
async def clone_guest(call: Call) -> str:
    """Copy a guest under another number, on this host or, from shared storage, on another."""
    lab, params = call.lab, call.params
    node, vmid, new = params["node"], int(params["vmid"]), int(params["newid"])
    require_allocate(call, new, params.get("pool"))
    row = find_row(lab, vmid, node)
    if row is None:
        raise missing_file(vmid, node)
    _check(call, from_row(lab, vmid, row))

    async def work(log: TaskLog) -> None:
        # Clones of one template run side by side: a source that is off is only read.
        running = load(lab, vmid, node).running
        async with lab.locks.clone(vmid, new, running=running):
            source = load(lab, vmid, node)
            _check(call, source)
            log(f"creating a clone of VM {vmid} with ID {new}")
            await _Clone(call, source, new, log).run()

    return await lab.tasks.start(call, node, "qmclone", str(vmid), work)


def _is_full(call: Call, source: Guest) -> bool:
    return bool(call.params.get("full", not source.template))


def _target(call: Call) -> str | None:
    target = call.params.get("target")
    return None if target in (None, "localhost", call.params["node"]) else str(target)


def _check(call: Call, source: Guest) -> None:
    lab, params = call.lab, call.params
    storage, target = params.get("storage"), _target(call)
    check_pool(lab, params.get("pool"))
    if target is not None:
        check_target(lab, target)
    if storage is not None:
        _check_storage(lab, storage, source.node, target)
    source.check_lock()
    config = _cloned(call, source)
    full = _is_full(call, source)
    for name in ("storage", "format"):
        if name in params and not full:
            raise failure(f"parameter '{name}' not allowed for linked clones")
    require_clone(call, config, storage)
    if target is not None and not _on_shared_storage(source, config):
        raise failure(f"can't clone VM to node '{target}' (VM uses local storage)")
    if occupied_by(lab, params["newid"]) == ("VM", source.node):
        raise failure(f"unable to create VM {params['newid']}: config file already exists")
    _check_copied(call, source, config, full=full)


def _check_storage(lab: Lab, storage: str, node: str, target: str | None) -> None:
    config = storage_config(lab, storage, node)
    if "images" not in definitions.contents(config):
        raise bad_parameter("storage", f"storage '{storage}' does not support vm images")
    if target is not None:
        storage_config(lab, storage, target)
        if not definitions.is_shared(config):
            raise failure(f"can't clone to non-shared storage '{storage}'")


def _cloned(call: Call, source: Guest) -> dict[str, Any]:
    """The configuration to copy: the present one, or that of a snapshot."""
    name = call.params.get("snapname")
    return source.snapshot(name) if name else source.config


def _on_shared_storage(guest: Guest, config: dict[str, Any]) -> bool:
    for _, drive in guest.drives(config):
        name = names.split_volume_id(drive["file"])
        if name and not definitions.is_shared(storage_config(guest.lab, name[0])):
            return False
    return True


def _check_copied(call: Call, source: Guest, config: dict[str, Any], *, full: bool) -> None:
    """500 when a disk is on a storage that cannot copy, or link, what is asked for."""
    name = call.params.get("snapname")
    for key, drive in source.drives(config):
        if drives.is_cdrom(drive, without_cloud_init=True):
            continue
        file = drive["file"]
        copied = full or key == "tpmstate0" or drives.is_cloud_init(drive)
        if full and key == "tpmstate0" and source.running and not name:
            raise failure("cannot clone TPM state while VM is running")
        if not has_feature(source.lab, file, "copy" if copied else "clone", snapshot=name):
            kind, of = "Full" if copied else "Linked", " a snapshot of" if name else ""
            raise failure(f"{kind} clone feature is not supported for{of} '{file}' ({key})")


class _Clone:
    """One clone being made."""

    def __init__(self, call: Call, source: Guest, vmid: int, log: TaskLog) -> None:
        self._call, self._source, self._log = call, source, log
        self._lab: Lab = call.lab
        self._full = _is_full(call, source)
        self._config = _cloned(call, source)
        self._rows = volumes(call.lab)
        self._made: list[str] = []
        self._guest = Guest(lab=call.lab, vmid=vmid, node=source.node)
        if not call.params.get("snapname"):
            # What the source's drive lacks is thought to be missing from the copy's as well.
            self._guest.unsynced = dict(source.unsynced)

    async def run(self) -> None:
        """Make volumes and configuration; nothing stays when it fails or is interrupted."""
        guest, lab = self._guest, self._lab
        if occupied_by(lab, guest.vmid):
            # Only the cluster's file system knows that the number is taken elsewhere.
            file = f"/etc/pve/nodes/{guest.node}/qemu-server/{guest.vmid}.conf"
            raise TaskError(f"close (rename) atomic file '{file}' failed: File exists")
        options = self._options()
        guest.config = dict(_UNFINISHED)
        guest.save()
        guest.config = options
        lab.firewall_copy(self._source.vmid, guest.vmid)
        try:
            for key, drive in self._source.drives(self._config):
                if not drives.is_cdrom(drive, without_cloud_init=True):
                    guest.config[key] = await self._drive(key, drive)
        except ApiError as error:
            self._undo()
            raise TaskError(f"clone failed: {late_text(error)}") from error
        except asyncio.CancelledError:
            self._undo()
            raise
        await engine_of(lab).clone(
            self._source, guest.vmid, self._call.params.get("snapname"), linked=not self._full
        )
        if self._source.pending:
            waiting = ",".join(self._source.pending)
            self._log.warn(f"found pending changes for '{waiting}', discarding for clone")
        guest.node = _target(self._call) or guest.node
        guest.save()
        if pool := self._call.params.get("pool"):
            lab.pool_add(pool, guest.vmid)

    def _undo(self) -> None:
        for volid in self._made:
            self._rows.free(volid, self._guest.node)
        self._lab.store.delete("firewall", f"vm/{self._guest.vmid}")
        self._guest.remove()

    def _options(self) -> dict[str, Any]:
        source, params = self._config, self._call.params
        config = {
            key: value
            for key, value in source.items()
            if key not in _NOT_COPIED and not drives.is_unused(key)
        }
        prefix = nets.mac_prefix(self._lab)
        for key in filter(nets.is_net, config):
            config[key] = nets.with_new_mac(config[key], prefix)
        smbios = parse_property_string("pve-qm-smbios1", str(source.get("smbios1", "")))
        config["smbios1"] = print_property_string(
            "pve-qm-smbios1", {**smbios, "uuid": str(uuid.uuid4())}
        )
        if config.get("vmgenid", "0") != "0":
            config["vmgenid"] = str(uuid.uuid4())
        origin = source.get("name", self._source.vmid)
        config["name"] = params.get("name") or f"Copy-of-VM-{origin}"
        if params.get("description"):
            config["description"] = params["description"]
        return config

    async def _drive(self, key: str, drive: Drive) -> str:
        kind = "full" if self._full else "linked"
        self._log(f"create {kind} clone of drive {key} ({drive['file']})")
        clone_s = 0 if drives.is_cloud_init(drive) else self._lab.limits.clone_s
        async with self._storage_lock(drive):
            if not self._full:
                await self._lab.limits.pass_time(clone_s)
            volid = self._volume(key, drive)
            self._made.append(volid["volid"])
        if self._full:  # only making the empty disk needs the lock, filling it does not
            await self._lab.limits.pass_time(clone_s)
        return drives.print_drive(
            {k: v for k, v in drive.items() if k != "format"}
            | {"file": volid["volid"], "size": volid["size"]}
        )

    def _storage_lock(self, drive: Drive) -> Hold:
        origin = self._rows.require(drive["file"], self._source.node)
        storage = str(self._call.params.get("storage") or origin["storage"])
        return self._lab.storage_lock(storage, self._guest.node)

    def _volume(self, key: str, drive: Drive) -> dict[str, Any]:
        guest, params = self._guest, self._call.params
        origin = self._rows.require(drive["file"], self._source.node)
        if name := params.get("snapname"):
            origin = {**origin, **origin.get("snapshots", {}).get(name, {})}
        storage = params.get("storage") or origin["storage"]
        if drives.is_cloud_init(drive):
            return copy_cloud_init(guest, origin, storage, params.get("format"))
        if self._full or key == "tpmstate0":
            return copy_volume(guest, origin, storage, params.get("format"))
        return self._rows.link(origin, guest.node, guest.vmid)


@handles("POST", f"{QEMU}/template")
async def make_template(call: Call) -> str:
    """Turn a guest that is off into a template; its disks become base volumes."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    only = call.params.get("disk")
    _check_template(load(lab, vmid, node), only)

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            _check_template(guest, only)
            guest.config["template"] = 1
            for key, drive in guest.drives():
                if not drives.is_cdrom(drive) and only in (None, key):
                    _make_base(guest, key, drive)
            guest.save()

    return await lab.tasks.start(call, node, "qmtemplate", str(vmid), work)


def _check_template(guest: Guest, only: str | None) -> None:
    guest.check_lock()
    if guest.snapshots:
        raise failure("unable to create template, because VM contains snapshots")
    if guest.template and only is None:
        raise failure("you can't convert a template to a template")
    if guest.running:
        raise failure("you can't convert a VM to template if VM is running")


def _make_base(guest: Guest, key: str, drive: Drive) -> None:
    rows = volumes(guest.lab)
    row = rows.require(drive["file"], guest.node)
    name = names.parse_volume_id(row["volid"])
    config = storage_config(guest.lab, name[0])
    if config["type"] == "lvm" or names.parse_name(config["type"], name[1]).is_base:
        return
    drive["file"] = rows.make_base(row)["volid"]
    guest.config[key] = drives.print_drive(drive)
