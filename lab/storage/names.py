"""Volume ids: `STORAGE:NAME`, and what a name says on each type of storage.

Directory storages (a path and files in it) name a disk `100/vm-100-disk-0.qcow2` and a linked
clone `9000/base-9000-disk-0.qcow2/100/vm-100-disk-0.qcow2`. Block storages have no folder and no
extension: `vm-100-disk-0`, and `base-9000-disk-0/vm-100-disk-0` where clones keep their origin
in the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.errors import failure

DIRECTORY_TYPES = frozenset({"dir", "nfs", "cifs", "cephfs", "btrfs"})
SHARED_TYPES = frozenset({"nfs", "cifs", "cephfs", "rbd", "iscsi", "iscsidirect", "zfs", "pbs"})
ORIGIN_IN_NAME = frozenset({"zfspool", "rbd"})
ISO = re.compile(r"[^/]+\.(?:iso|img)", re.IGNORECASE)
CONTAINER_TEMPLATE = re.compile(r"[^/]+\.tar(?:\.(gz|xz|zst|bz2))?", re.IGNORECASE)
IMPORT_IMAGE = re.compile(r"[a-zA-Z0-9_.+=\- ]+\.(ova|ovf|qcow2|raw|vmdk)")
UPLOADED_IMAGE = re.compile(r"[a-zA-Z0-9_.+=\-]+\.(ova|qcow2|raw|vmdk)")
BACKUP = re.compile(r"[^/]+\.(?:tgz|(?:tar|vma)(?:\.(?:gz|lzo|zst|bz2))?)")
_VOLUME_ID = re.compile(r"([a-z][a-z0-9\-_.]*[a-z0-9]):(.+)", re.IGNORECASE)
_IMAGE = re.compile(r"(base-)?[^/\s]+\.(raw|qcow2|vmdk|subvol)")
_SNAPSHOT_FILE = re.compile(r"snap-.*\.qcow2")
_CLONED = re.compile(r"((\d+)/(\S+))/(\d+)/(\S+)")
_DISK = re.compile(r"(\d+)/(\S+)")
_BLOCK = re.compile(
    r"(?:((?:base|basevol)-\d+-[^\s/]+)/)?((?:(vm|base|subvol|basevol)-(\d+)-[^\s/]+))"
)
_DUMP = re.compile(r"vzdump-(openvz|lxc|qemu)-(\d+)-.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeName:
    """What the name of a volume says.

    `base` is the name, without the storage, of the volume it is a linked clone of.
    """

    content: str
    name: str
    format: str
    vmid: int | None = None
    base: str | None = None
    is_base: bool = False


def split_volume_id(text: str) -> tuple[str, str] | None:
    """Storage and name of a volume id, or None when it is none."""
    found = _VOLUME_ID.fullmatch(text)
    return (found[1], found[2]) if found else None


def parse_volume_id(text: str) -> tuple[str, str]:
    """Storage and name of a volume id; 500 with Proxmox VE's words when it is none."""
    found = split_volume_id(text)
    if found is None:
        raise failure(f"unable to parse volume ID '{text}'")
    return found


def parse_name(storage_type: str, name: str) -> VolumeName:
    """What a volume's name says on a storage of this type; 500 when it does not fit."""
    if storage_type in DIRECTORY_TYPES:
        return _directory_name(name)
    found = _BLOCK.fullmatch(name)
    if found is None:
        raise failure(f"unable to parse {_WORDS.get(storage_type, storage_type)} name '{name}'")
    base, own, kind, vmid = found.groups()
    return VolumeName(
        content="rootdir" if kind.endswith("vol") else "images",
        name=own,
        format="subvol" if kind in ("subvol", "basevol") else "raw",
        vmid=int(vmid),
        base=base,
        is_base=kind.startswith("base"),
    )


_WORDS = {
    "lvm": "lvm volume",
    "lvmthin": "lvm volume",
    "zfspool": "zfs volume",
    "rbd": "rbd volume",
}


def _directory_name(name: str) -> VolumeName:
    if found := _CLONED.fullmatch(name):
        _image(found[3])
        return _disk(found[5], int(found[4]), found[1])
    if found := _DISK.fullmatch(name):
        return _disk(found[2], int(found[1]), None)
    folder, _, file = name.partition("/")
    if folder == "iso" and ISO.fullmatch(file):
        return VolumeName(content="iso", name=file, format="raw")
    if folder == "vztmpl" and CONTAINER_TEMPLATE.fullmatch(file):
        return VolumeName(content="vztmpl", name=file, format="raw")
    if folder == "backup" and BACKUP.fullmatch(file):
        dump = _DUMP.fullmatch(file)
        return VolumeName(
            content="backup", name=file, format="raw", vmid=int(dump[2]) if dump else None
        )
    if folder == "snippets" and file and "/" not in file:
        return VolumeName(content="snippets", name=file, format="raw")
    if folder == "import" and (image := IMPORT_IMAGE.fullmatch(file)):
        return VolumeName(content="import", name=file, format=image[1])
    raise failure(f"unable to parse directory volume name '{name}'")


def _disk(file: str, vmid: int, base: str | None) -> VolumeName:
    kind, is_base = _image(file)
    return VolumeName(
        content="images", name=file, format=kind, vmid=vmid, base=base, is_base=is_base
    )


def _image(file: str) -> tuple[str, bool]:
    if _SNAPSHOT_FILE.fullmatch(file):
        raise failure(f"'{file}' is a snapshot filename, not a volume!")
    found = _IMAGE.fullmatch(file)
    if found is None:
        raise failure(f"unable to parse volume filename '{file}'")
    return found[2], found[1] is not None


def disk_name(storage_type: str, vmid: int, file: str, base: str | None = None) -> str:
    """The name, without the storage, of a guest's disk in this file or block device."""
    if storage_type in DIRECTORY_TYPES:
        own = f"{vmid}/{file}"
        return f"{base}/{own}" if base else own
    return f"{base}/{file}" if base and storage_type in ORIGIN_IN_NAME else file


def listed_format(name: VolumeName) -> str:
    """The `format` a content list shows: extensions of files, formats of disks."""
    if name.content == "iso":
        return "iso"
    if name.content == "vztmpl":
        found = CONTAINER_TEMPLATE.fullmatch(name.name)
        return f"t{found[1]}" if found and found[1] else "tar"
    if name.content == "snippets":
        return "snippet"
    if name.content == "backup":
        return name.name.split(".", 1)[1]
    return name.format


def backup_kind(name: VolumeName) -> str:
    """The kind of guest in a backup (`qemu`, `lxc`), by its name; `unknown` when that is none."""
    dump = _DUMP.fullmatch(name.name)
    return dump[1] if dump else "unknown"
