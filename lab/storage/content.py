"""Volumes through the API: list, allocate, describe, delete."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import (
    ALLOCATE_SPACE,
    UNLIMITED,
    max_protected,
    may_use,
    require_volume,
    too_many_protected,
)
from lab.storage.sizes import whole_sectors
from lab.storage.status import STORAGE
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

CONTENT = f"{STORAGE}/content"
VOLUME = f"{CONTENT}/{{volume}}"
KIB = 1024
_DISKS = frozenset({"images", "rootdir"})
_IMAGES = frozenset({"raw", "qcow2", "vmdk", "subvol"})
_OWNERLESS = frozenset({"snippets", "import"})
_ONLY_BACKUPS = {
    "notes": "only backups can have notes",
    "protected": "only backups support attribute 'protected'",
}
_EXTENSION = re.compile(r".*\.(raw|qcow2|vmdk)")
_SIZE = re.compile(r"(\d+)([MG])?", re.ASCII)
_UNITS = {None: KIB, "M": KIB**2, "G": KIB**3}


@handles("GET", CONTENT)
async def list_content(call: Call) -> list[dict[str, Any]]:
    """The volumes of a storage; files whose name begins with a dot are not seen."""
    lab, params = call.lab, call.params
    storage, node, wanted = params["storage"], params["node"], params.get("content")
    config = storage_config(lab, storage, node)
    kinds, vmid = definitions.contents(config), params.get("vmid")
    rows = []
    for row in volumes(lab).listed(storage, node):
        name = names.parse_name(config["type"], row["volid"].partition(":")[2])
        kind = _kind(lab, row)
        hidden = kind not in kinds or wanted not in (None, kind) or name.name.startswith(".")
        if hidden or not may_use(call, None, row["volid"]):
            continue
        # Snippets and imports are listed whichever guest was asked for, ISOs and templates are not.
        if vmid is None or kind in _OWNERLESS or name.vmid == vmid:
            rows.append(_listed(row, name) | {"content": kind})
    return rows


def _kind(lab: Lab, row: Row) -> str:
    """What a volume is listed as: a disk is a container's when its guest is one now."""
    if row["content"] not in _DISKS:
        return str(row["content"])
    return "images" if lab.store.get("lxc", str(row["vmid"])) is None else "rootdir"


def _listed(row: Row, name: names.VolumeName) -> dict[str, Any]:
    shown = {
        "volid": row["volid"],
        "format": names.listed_format(name),
        "size": row["size"],
        "ctime": row["ctime"],
    }
    if row["content"] in _DISKS:
        base = row["base"]
        shown |= {"vmid": row["vmid"], "used": row["used"], "parent": _parent(base)}
    elif name.vmid is not None:
        shown["vmid"] = name.vmid
    if row["content"] == "backup":
        shown["subtype"] = names.backup_kind(name)
        shown |= {key: row[key] for key in ("notes", "protected") if row.get(key)}
    return shown


def _parent(base: str | None) -> str | None:
    """The base of a linked clone as its file names it: relative to its own folder."""
    if base is None:
        return None
    name = base.partition(":")[2]
    return "../" + "/".join(name.split("/")[-2:]) if "/" in name else name


@handles("POST", CONTENT)
async def allocate_volume(call: Call) -> str:
    """A new empty disk of a guest under a given name."""
    params = call.params
    found = _SIZE.fullmatch(params["size"])
    if found is None:
        raise bad_parameter("size", f"unable to parse size '{params['size']}'")
    size = int(found[1]) * _UNITS[found[2]]
    kind, file = params.get("format"), params["filename"]
    if extension := _EXTENSION.fullmatch(file):
        if kind not in (None, extension[1]):
            text = f"different storage formats ({kind} != {extension[1]})"
            raise bad_parameter("format", text)
        kind = extension[1]
    row = volumes(call.lab).allocate(
        params["storage"], params["node"], params["vmid"], size=size, kind=kind, file=file
    )
    return str(row["volid"])


def _volume_id(call: Call) -> str:
    """The volume id of a call's path, which may leave out the storage."""
    storage, volume = call.params["storage"], call.params["volume"]
    if ":" not in volume:
        return f"{storage}:{volume}"
    name = names.split_volume_id(volume)
    if name is None:
        raise bad_parameter("volume", f"unable to parse volume ID '{volume}'\n")
    if name[0] != storage:
        raise bad_parameter("volume", f"storage ID mismatch ({name[0]} != {storage})\n")
    return str(volume)


@handles("GET", VOLUME)
async def read_volume(call: Call) -> dict[str, Any]:
    """Where a volume is and how large."""
    volid = _volume_id(call)
    require_volume(call, None, volid)
    path = definitions.location(call.lab, volid)
    row = volumes(call.lab).get(volid, call.params["node"])
    if row is None:
        raise failure(f"volume_size_info on '{volid}' failed - no format")
    kind = row["format"] if row["format"] in _IMAGES else "raw"
    if not row["size"] and kind != "subvol":
        raise failure(f"volume '{volid}' has size zero")
    shown = {
        "path": path, "size": whole_sectors(row["size"]), "used": row["used"], "format": kind
    }  # fmt: skip
    if row["content"] == "backup":
        shown |= {"notes": row.get("notes", ""), "protected": row.get("protected", 0)}
    return shown


@handles("PUT", VOLUME)
async def change_volume(call: Call) -> None:
    """Notes and protection, which only backups have."""
    volid = _volume_id(call)
    require_volume(call, None, volid)
    rows, changes = volumes(call.lab), {}
    row = rows.get(volid, call.params["node"])
    storage, name = names.parse_volume_id(volid)
    parsed = names.parse_name(storage_config(call.lab, storage)["type"], name)
    for key, fault in _ONLY_BACKUPS.items():
        if key in call.params:
            if parsed.content != "backup":
                raise failure(fault)
            changes[key] = call.params[key]
    if row is None:
        return
    if changes.get("protected") and not row.get("protected") and parsed.vmid is not None:
        _check_protected(call, storage, row, parsed)
    rows.update(row, **changes)


def _check_protected(call: Call, storage: str, row: Row, name: names.VolumeName) -> None:
    """500 when as many backups of the guest are protected as may be."""
    kind = names.backup_kind(name)
    others = [
        each
        for each in volumes(call.lab).listed(storage, call.params["node"], content="backup")
        if each["vmid"] == row["vmid"]
        and each.get("protected")
        and names.backup_kind(names.parse_name("dir", each["volid"].partition(":")[2])) == kind
    ]
    most = max_protected(call, storage)
    if UNLIMITED < most <= len(others):
        raise failure(too_many_protected(most, storage))


@handles("DELETE", VOLUME)
async def delete_volume(call: Call) -> str | None:
    """Delete a volume as a task; with `delay`, null when the task is over within that time."""
    lab, node, volid = call.lab, call.params["node"], _volume_id(call)
    storage, name = names.parse_volume_id(volid)
    parsed = names.parse_name(storage_config(lab, storage)["type"], name)
    rights, path = lab.rights, f"/storage/{storage}"
    if parsed.content == "backup" and parsed.vmid is not None:
        rights.require(call.user, path, [ALLOCATE_SPACE])
        rights.require(call.user, f"/vms/{parsed.vmid}", ["VM.Backup"])
    else:
        rights.require(call.user, path, ["Datastore.Allocate"])
    about = storage if parsed.vmid is None else f"{parsed.vmid}@{storage}"

    async def work(log: TaskLog) -> None:
        storage_config(lab, storage, node)
        volumes(lab).free(volid, node)
        log(f"Removed volume '{volid}'")

    upid = await lab.tasks.start(call, node, "imgdel", about, work)
    if delay := call.params.get("delay"):
        try:
            task = await asyncio.wait_for(lab.tasks.wait(upid), delay)
        except TimeoutError:
            return upid
        if task["status"] == "OK":
            return None
        raise failure(task["status"])
    return upid
