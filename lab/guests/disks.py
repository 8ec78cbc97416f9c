"""Drives in requests: what is asked for, whether it may be, and the volumes that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import ApiError, bad_parameter, failure
from lab.guests import drives, replicated
from lab.guests.drives import NEW_DISK, Drive
from lab.guests.rights import require_import
from lab.machine import occupied_by
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space, require_volume
from lab.storage.sizes import gibibytes_to_bytes, whole_sectors
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.guests.record import Guest

_IMPORT_SYNTAX = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"
_ISO_AS_DISK = "explicit 'media=cdrom' is required for iso images"


def resolve_cdrom(options: dict[str, Any]) -> None:
    """`cdrom` is another name for the CD drive on ide2."""
    if value := options.pop("cdrom", None):
        options["ide2"] = value if "media=" in value else f"{value},media=cdrom"


def check_drives(lab: Lab, options: dict[str, Any], vmid: int | None = None) -> None:
    """Check the form of all drives among the options and bring them into their own form; with
    `vmid` also whether that guest, which may be replicated, can have them."""
    for key in drives.drive_keys(options):
        drive = drives.parse_drive(key, options[key])
        _check_import(key, drive)
        _use_volume_id(lab, key, drive)
        name = names.split_volume_id(drive["file"])
        if name and not NEW_DISK.fullmatch(drive["file"]) and name[1] != "cloudinit":
            config = storage_config(lab, name[0])
            is_iso = names.parse_name(config["type"], name[1]).content == "iso"
            if is_iso and drive.get("media") != "cdrom":
                raise bad_parameter(key, _ISO_AS_DISK)
        if vmid is not None:
            replicated.check_drive(lab, vmid, drive)
        options[key] = drives.print_drive(drive)


def _check_import(key: str, drive: Drive) -> None:
    if not drive.get("import-from"):
        return
    new = NEW_DISK.fullmatch(drive["file"])
    if new is None or float(new[2]) != 0:
        raise bad_parameter(key, _IMPORT_SYNTAX)
    needed = {"efidisk0": ("efitype", "pre-enrolled-keys"), "tpmstate0": ("version",)}
    for name in needed.get(key, ()):
        if name not in drive:
            raise bad_parameter(key, f"need to specify '{name}' when using 'import-from'")


def _use_volume_id(lab: Lab, key: str, drive: Drive) -> None:
    file: str = drive["file"]
    if file not in ("none", "cdrom") and file.startswith("/") and not file.startswith("/dev/"):
        volid = definitions.volume_id_of_path(lab, file)
        if volid is None:
            raise bad_parameter(key, f"unable to associate path '{file}' to any storage")
        drive["file"] = volid
    if "media" not in drive and drive["file"] in ("none", "cdrom"):
        drive["media"] = "cdrom"


def check_storages(
    call: Call, vmid: int, options: dict[str, Any], default_storage: str | None = None
) -> None:
    """Whether every volume that the options name, or ask for, can be where it is said to be, and
    whether the caller may have it there."""
    lab = call.lab
    for key in drives.drive_keys(options):
        drive = drives.parse_drive(key, options[key])
        file: str = drive["file"]
        name = names.split_volume_id(file)
        new = NEW_DISK.fullmatch(file)
        if file in ("none", "cloudinit") or (name and name[1] == "cloudinit"):
            pass
        elif file == "cdrom":
            if not call.is_root:
                lab.rights.require(call.user, "/", ["Sys.Console"])
        elif new and not drives.is_cdrom(drive):
            _check_allocation(call, new[1] or default_storage)
        else:
            require_volume(call, vmid, file)
        if name and not new and name[1] != "cloudinit":
            content = names.parse_name(storage_config(lab, name[0])["type"], name[1]).content
            if content not in ("images", "iso"):
                raise bad_parameter(key, "content type needs to be 'images' or 'iso'")
        if source := drive.get("import-from"):
            _check_source(lab, key, source)
            require_import(call, vmid, source)
    for key in sorted(filter(drives.is_unused, options)):
        _check_unused(call, vmid, drives.parse_drive(key, options[key])["file"])
    if state := options.get("vmstatestorage"):
        require_space(call, state)


def _check_unused(call: Call, vmid: int, volid: str) -> None:
    storage, name = names.parse_volume_id(volid)
    if names.parse_name(storage_config(call.lab, storage)["type"], name).content != "images":
        raise failure(f"unable to use volume {volid} - content type needs to be 'images'")
    require_volume(call, vmid, volid)


def _check_allocation(call: Call, storage: str | None) -> None:
    if storage is None:
        raise failure("no storage ID specified (and no default storage)")
    require_space(call, storage)
    if "images" not in definitions.contents(storage_config(call.lab, storage)):
        raise bad_parameter("storage", f"storage '{storage}' does not support vm images")


def _check_source(lab: Lab, key: str, source: str) -> None:
    name = names.split_volume_id(source)
    if name is None:
        return
    content = names.parse_name(storage_config(lab, name[0])["type"], name[1]).content
    if content not in ("images", "import"):
        text = f"{source} has wrong type '{content}' - needs to be 'images' or 'import'"
        raise bad_parameter(key, text)


def storages_of(options: dict[str, Any], default_storage: str | None) -> list[str]:
    """The storages on which a request makes volumes, each once."""
    found: dict[str, None] = {}
    for key in drives.drive_keys(options):
        file: str = drives.parse_drive(key, options[key])["file"]
        new = NEW_DISK.fullmatch(file)
        if file == "cloudinit" or file.endswith(":cloudinit") or new:
            name = new[1] if new else file.rpartition(":")[0]
            storage = name or default_storage
            if storage is not None:
                found[storage] = None
    return list(found)


class Allocation:
    """Makes the volumes of one request; `undo` removes them when the rest of it fails."""

    def __init__(self, guest: Guest, default_storage: str | None = None) -> None:
        self._guest = guest
        self._default = default_storage
        self._rows = volumes(guest.lab)
        self._made: list[str] = []

    def undo(self) -> None:
        """Free what was made so far."""
        for volid in self._made:
            self._rows.free(volid, self._guest.node)
        self._made.clear()

    def drive(self, key: str, text: str, beside: dict[str, Any]) -> str:
        """The stored form of a drive, its volume made when it was asked for.

        `beside` are the other options of the request that are made already.
        """
        drive = drives.parse_drive(key, text)
        file: str = drive["file"]
        name = names.split_volume_id(file)
        if file in ("none", "cdrom"):
            drive.pop("size", None)
        elif file == "cloudinit" or (name and name[1] == "cloudinit"):
            self._cloud_init(key, drive, name[0] if name else self._default, beside)
        elif new := NEW_DISK.fullmatch(file):
            self._new(key, drive, new[1] or self._default, new[2])
        else:
            self._existing(key, drive, name, beside)
        return drives.print_drive(drive)

    def _cloud_init(
        self, key: str, drive: Drive, storage: str | None, beside: dict[str, Any]
    ) -> None:
        if storage is None:
            raise failure("no storage ID specified (and no default storage)")
        self._only_cloud_init(key, beside)
        guest = self._guest
        config = storage_config(guest.lab, storage)
        in_folder = definitions.has_path(config)
        kind = drive.pop("format", None) or ("qcow2" if in_folder else "raw")
        file = f"vm-{guest.vmid}-cloudinit" + (f".{kind}" if in_folder else "")
        row = self._keep(
            self._rows.allocate(
                storage, guest.node, guest.vmid,
                size=drives.CLOUD_INIT_BYTES, kind=kind, file=file,
            )
        )  # fmt: skip
        drive |= {"file": row["volid"], "media": "cdrom"}

    def _only_cloud_init(self, key: str, beside: dict[str, Any]) -> None:
        for config in (self._guest.config, self._guest.pending, beside):
            if other := drives.cloud_init_key(config, key):
                raise failure(f"{key} - cloud-init drive is already attached at '{other}'")

    def _new(self, key: str, drive: Drive, storage: str | None, gib: str) -> None:
        if storage is None:
            raise failure("no storage ID specified (and no default storage)")
        guest = self._guest
        source = drive.pop("import-from", None)
        kind = drive.pop("format", None)
        if source is not None:
            row = self._imported(source, storage, kind)
        else:
            size = gibibytes_to_bytes(gib)
            if key == "efidisk0":
                size = drives.EFI_BYTES[drive.get("efitype", "2m")]
            elif key == "tpmstate0":
                size = drives.TPM_STATE_BYTES
            row = self._rows.allocate(storage, guest.node, guest.vmid, size=size, kind=kind)
        if guest.template:
            row = self._rows.make_base(row)
        self._keep(row)
        drive |= {"file": row["volid"], "size": row["size"]}

    def _imported(self, source: str, storage: str, kind: str | None) -> Row:
        guest = self._guest
        if (name := names.split_volume_id(source)) is None:
            raise failure(f"can't find file '{source}'")
        place = storage_config(guest.lab, name[0])
        parsed = names.parse_name(place["type"], name[1])
        if parsed.content == "import":
            self._source(source)  # an image that may be anything is looked at before
        try:
            origin = self._source(source)
            if drives.is_cloud_init({"file": source}):
                raise failure("cannot import from cloudinit disk")
            _require_here(guest, parsed.vmid)
            return copy_volume(guest, origin, storage, kind)
        except ApiError as error:
            raise failure(f"cannot import from '{source}' - {error.message}") from error

    def _source(self, volid: str) -> Row:
        """The row of a volume that is to be read, which a host finds by its file."""
        try:
            return self._rows.require(volid, self._guest.node)
        except ApiError as error:
            if "does not exist" not in error.message or "storage" in error.message.split("'")[0]:
                raise
            path = definitions.location(self._guest.lab, volid)
            raise failure(f"failed to stat '{path}'") from error

    def _existing(
        self, key: str, drive: Drive, name: tuple[str, str] | None, beside: dict[str, Any]
    ) -> None:
        if name is None:
            raise failure(f"volume {drive['file']} does not exist")
        row = self._rows.require(drive["file"], self._guest.node)
        if row["content"] not in ("images", "iso"):
            text = f"cannot use volume {drive['file']} - content type needs to be 'images' or 'iso'"
            raise failure(text)
        kind = drive.get("format")
        if kind and kind != row["format"]:
            raise failure(
                f"drive '{key}' - volume '{drive['file']}' - 'format={kind}' option different"
                f" from storage format '{row['format']}'"
            )
        if drives.is_cloud_init(drive):
            self._only_cloud_init(key, beside)
        drive["size"] = whole_sectors(row["size"])

    def _keep(self, row: Row) -> Row:
        self._made.append(row["volid"])
        return row


def _require_here(guest: Guest, owner: int | None) -> None:
    """500 when the guest whose disk is to be copied is on another host."""
    place = occupied_by(guest.lab, owner) if owner else None
    if place is not None and place != ("VM", guest.node):
        raise failure(f"owner VM {owner} not on local node")


def copy_volume(guest: Guest, origin: Row, storage: str, kind: str | None = None) -> Row:
    """A full copy of a volume for a guest, in the wanted format or the nearest the storage has."""
    config = storage_config(guest.lab, storage, guest.node)
    supported = definitions.formats(config)
    wanted = next((f for f in (kind, origin["format"]) if f in supported), supported[0])
    return volumes(guest.lab).allocate(
        storage, guest.node, guest.vmid,
        size=origin["size"], kind=wanted, used=origin["used"], filled=origin["filled"],
        origin=_origin(origin), copy_of=_copied(origin),
    )  # fmt: skip


def copy_cloud_init(guest: Guest, origin: Row, storage: str, kind: str | None = None) -> Row:
    """A drive for a guest's cloud-init data in place of another one, empty until it is written."""
    config = storage_config(guest.lab, storage, guest.node)
    wanted = next((f for f in (kind, origin["format"]) if f in definitions.formats(config)), "raw")
    suffix = f".{wanted}" if definitions.has_path(config) else ""
    return volumes(guest.lab).allocate(
        storage, guest.node, guest.vmid,
        size=drives.CLOUD_INIT_BYTES, kind=wanted, file=f"vm-{guest.vmid}-cloudinit{suffix}",
    )  # fmt: skip


def _origin(row: Row) -> str | None:
    """The image a disk was made from, for engines that run its content."""
    return row.get("origin") or (row["volid"] if row["content"] == "import" else None)


def _copied(row: Row) -> str | None:
    """The volume whose own content a copy is to have, for engines that keep disks in files."""
    own = row["content"] == "images" and (row.get("file") or row.get("base") or row.get("copy_of"))
    return row["volid"] if own else None
