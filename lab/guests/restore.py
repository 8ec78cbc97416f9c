"""Restore a virtual machine from a backup, as a new one or over the one that has its number."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from lab.archives import Contents, require_contents
from lab.call import Call
from lab.errors import ApiError, TaskError, bad_parameter, failure, forbidden
from lab.formats import parse_property_string, print_property_string
from lab.guests import drives, nets, pending
from lab.guests.power import start_task
from lab.guests.record import Guest, find_row, from_row, load
from lab.guests.rights import require_bridges
from lab.guests.update import stored_password, stored_tags
from lab.guests.watch import watch
from lab.machine import occupied_by
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space, require_volume
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog


Disks = dict[str, dict[str, Any]]


class Restore:
    """One restore: what was asked for, checked as far as that goes without the task."""

    def __init__(self, call: Call) -> None:
        params = call.params
        self._call, self._lab = call, call.lab
        self._node, self._vmid = str(params["node"]), int(params["vmid"])
        self._archive, self._pool = str(params["archive"]), params.get("pool")
        self._words = f"unable to restore VM {self._vmid} -"
        self._rows = volumes(call.lab)
        self._made: dict[str, str] = {}

    def require_allocate(self) -> None:
        """403 unless the caller may make the guest, or may save the one to be replaced."""
        call, vmid = self._call, self._vmid
        paths = [f"/vms/{vmid}"] + ([f"/pool/{self._pool}"] if self._pool else [])
        rights = self._lab.rights
        if call.is_root or any(rights.has(call.user, path, ["VM.Allocate"]) for path in paths):
            return
        present = find_row(self._lab, vmid, self._node) is not None
        saves = rights.has(call.user, f"/vms/{vmid}", ["VM.Backup"])
        if not (call.params.get("force") and present and saves):
            raise forbidden("")

    def check_archive(self) -> None:
        """Refuse drives beside an archive, and an archive that is not there or not a backup."""
        for key in drives.drive_keys(self._call.params):
            raise bad_parameter(key, "option conflicts with option 'archive'")
        if self._archive == "-":
            raise failure("pipe requires cli environment")
        if name := names.split_volume_id(self._archive):
            kind = storage_config(self._lab, name[0])["type"]
            if names.parse_name(kind, name[1]).content != "backup":
                text = f"unable to use volume {self._archive} - content type needs to be 'backup'"
                raise failure(text)
        require_volume(self._call, self._vmid, self._archive)
        if name is None:
            raise failure(f"can't find file '{self._archive}'")
        self._rows.require(self._archive, self._node)

    def take_number(self) -> dict[str, Any] | None:
        """Note that the number is in use; the row of the guest that is to be replaced."""
        row = find_row(self._lab, self._vmid, self._node)
        overwrites = row is not None and self._call.params.get("force")
        taken = occupied_by(self._lab, self._vmid)
        if taken is not None and not overwrites:
            text = f"{taken[0]} {self._vmid} already exists on node '{taken[1]}'"
            raise failure(f"{self._words} {text}")
        guest = Guest(lab=self._lab, vmid=self._vmid, node=self._node)
        if row is not None:
            guest = from_row(self._lab, self._vmid, row)
            if lock := guest.config.get("lock"):
                raise failure(f"{self._words} VM is locked ({lock})")
        guest.config["lock"] = "create"
        guest.save()
        return row

    async def start(self, options: dict[str, Any], before: dict[str, Any] | None) -> str:
        """The task; a guest whose restore fails stays, unlocked, as on a real host."""
        lab, call, vmid, node = self._lab, self._call, self._vmid, self._node

        async def work(log: TaskLog) -> None:
            async with lab.locks.guest(vmid):
                guest = load(lab, vmid, node)
                try:
                    self._run(guest, options, before, log)
                except (ApiError, TaskError):
                    guest = load(lab, vmid, node)
                    guest.config.pop("lock", None)
                    guest.save()
                    log("error before or during data restore, some or all disks were not")
                    log(f"completely restored. VM {vmid} state is NOT cleaned up.")
                    raise
                if self._pool:
                    lab.pool_add(self._pool, vmid)
            if call.params.get("start"):
                log("Execute autostart")
                await start_task(call, node, vmid)
            watch(call, f"vm:{vmid}", log)

        return await lab.tasks.start(call, node, "qmrestore", str(vmid), work)

    def _run(
        self, guest: Guest, options: dict[str, Any], before: dict[str, Any] | None, log: TaskLog
    ) -> None:
        guest.check_protection(self._words)
        if guest.running:
            raise TaskError(f"{self._words} vm is running")
        if self._call.params.get("live-restore"):
            text = "live-restore is only compatible with backup images from a Proxmox Backup Server"
            raise TaskError(text)
        contents = require_contents(self._lab, self._archive, self._node)
        if contents["kind"] != "qemu":
            raise TaskError(f"ERROR: archive '{self._archive}' is no backup of a VM")
        require_bridges(self._call, contents["config"] | options)
        saved = self._saved(contents)
        self._replace(guest, before, saved)
        try:
            self._make_volumes(saved, log)
        except ApiError:
            for volid in self._made.values():
                self._rows.free(volid, self._node)
            raise
        guest.config |= self._config(contents) | self._overridden(options)
        guest.pending, guest.pending_delete, guest.unsynced, guest.snapshots = {}, {}, {}, {}
        if contents["firewall"] is not None:
            self._lab.store.put("firewall", f"vm/{guest.vmid}", contents["firewall"])
        if guest.template:
            log("Convert to template.")
            self._make_bases(guest)
        guest.save()

    def _saved(self, contents: Contents) -> Disks:
        """The disks that come back, each on the storage that is to have it."""
        config, saved = contents["config"], dict(contents["disks"])
        for key in drives.drive_keys(config):
            drive = drives.parse_drive(key, config[key])
            if drives.is_cloud_init(drive):
                saved[key] = self._cloud_init(drive)
        for key, disk in saved.items():
            storage = self._call.params.get("storage") or disk["storage"]
            place = storage_config(self._lab, storage, self._node)
            if "images" not in definitions.contents(place):
                raise failure(f"Content type 'images' is not available on storage '{storage}'")
            require_space(self._call, storage)
            saved[key] = {**disk, "storage": storage}
        return saved

    def _make_volumes(self, saved: Disks, log: TaskLog) -> None:
        for key in sorted(saved):
            disk = saved[key]
            storage = disk["storage"]
            place = storage_config(self._lab, storage, self._node)
            known = definitions.formats(place)
            kind = disk["format"] if disk["format"] in known else known[0]
            file = self._cloud_init_file(place, kind) if "origin" not in disk else None
            values = {k: disk[k] for k in ("used", "filled", "origin") if k in disk}
            row = self._rows.allocate(
                storage, self._node, self._vmid, size=disk["size"], kind=kind, file=file, **values
            )
            log(f"new volume ID is '{row['volid']}'")
            self._made[key] = row["volid"]

    def _cloud_init(self, drive: drives.Drive) -> dict[str, Any]:
        storage, name = names.parse_volume_id(drive["file"])
        config = self._lab.store.get("storage", storage)
        kind = names.parse_name(config["type"], name).format if config else "raw"
        return {"size": drives.CLOUD_INIT_BYTES, "format": kind, "storage": storage}

    def _cloud_init_file(self, place: dict[str, Any], kind: str) -> str:
        extension = f".{kind}" if definitions.has_path(place) else ""
        return f"vm-{self._vmid}-cloudinit{extension}"

    def _replace(self, guest: Guest, before: dict[str, Any] | None, saved: Disks) -> None:
        """Destroy the volumes that the archive brings anew; others become unused."""
        guest.config = {}
        if before is None:
            return
        old = from_row(self._lab, self._vmid, before)
        for snap in old.snapshots.values():
            if memory := snap.get("vmstate"):
                self._rows.free(memory, self._node)
        for key, drive in old.drives():
            volid = drive["file"]
            if drives.is_cdrom(drive, without_cloud_init=True):
                continue
            if not pending.is_owner(old, volid):
                continue
            if key in saved:
                self._rows.free(volid, self._node)
            else:
                drives.add_unused(guest.config, volid)
        for key, volid in old.config.items():
            if drives.is_unused(key):
                drives.add_unused(guest.config, volid)

    def _config(self, contents: Contents) -> dict[str, Any]:
        """The configuration in the archive, with its new volumes and identities."""
        config, unique = dict(contents["config"]), bool(self._call.params.get("unique"))
        left_out = []
        for key in drives.drive_keys(config):
            drive = drives.parse_drive(key, config[key])
            if drive.get("backup") == 0:
                # The line is turned into a comment, which makes it a part of the description.
                left_out.append(f"{key}: {config.pop(key)}")
            elif key in self._made:
                kept = {name: value for name, value in drive.items() if name != "format"}
                config[key] = drives.print_drive(kept | {"file": self._made[key]})
        if left_out:
            text = str(config.get("description", ""))
            config["description"] = "\n".join(filter(None, [text, *left_out]))
        if config.get("vmgenid", "0") != "0":
            config["vmgenid"] = str(uuid.uuid4())
        if unique:
            prefix = nets.mac_prefix(self._lab)
            for key in filter(nets.is_net, config):
                config[key] = nets.with_new_mac(config[key], prefix)
            system = parse_property_string("pve-qm-smbios1", str(config.get("smbios1", "")))
            config["smbios1"] = print_property_string(
                "pve-qm-smbios1", system | {"uuid": str(uuid.uuid4())}
            )
        return config

    def _overridden(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options of the request, which win over those of the archive."""
        values = dict(options)
        if "tags" in values:
            values["tags"] = stored_tags(self._lab, values["tags"])
        if "cipassword" in values:
            values["cipassword"] = stored_password(values["cipassword"], values.get("ostype"))
        return values

    def _make_bases(self, guest: Guest) -> None:
        for key, drive in guest.drives():
            if not drives.is_cdrom(drive):
                row = self._rows.make_base(self._rows.require(drive["file"], guest.node))
                guest.config[key] = drives.print_drive(drive | {"file": row["volid"]})
