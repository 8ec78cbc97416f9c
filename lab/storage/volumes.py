"""Volumes: disks and files on storages, kept as rows; no large image is ever written for a disk.

A row (kind `volume`) holds `volid`, `storage`, `node` (None on a shared storage), `content`,
`format`, `size` and `used` in bytes, `vmid`, `base` (volume id it is a linked clone of), `ctime`,
`filled` (whether there is anything on it, such as an imported image) and `origin`, the image it
was made from. A file that was really uploaded or downloaded has `file`, its path below the state
folder. `snapshots` maps the names of a disk's snapshots, oldest first, to what it was then.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lab.errors import failure
from lab.storage import definitions, names, space
from lab.storage.definitions import storage_config
from lab.storage.features import newest_only

if TYPE_CHECKING:
    from lab.app import Lab

Row = dict[str, Any]
MAX_DISKS = 16_384
_NO_QUOTAS = names.DIRECTORY_TYPES - {"btrfs"}
_STATE = ("size", "used", "filled", "origin")
_NUMBER = re.compile(r"(?:vm|base|subvol|basevol)-\d+-disk-(\d+)(?:\.\w+)?")


class Volumes:
    """The volumes of one lab; the only code that writes them.

    `node` is the host from which a storage is looked at: on a storage that is not shared every
    host has its own volumes.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.written = 0
        self._by_guest: dict[int, dict[str, Row]] = defaultdict(dict)
        self._clones: dict[str, set[str]] = defaultdict(set)
        for key, row in lab.store.items("volume"):
            if "storage" not in row:
                row = {**_seeded(row), **row}
                lab.store.put("volume", key, row)
            self._index(key, row)

    def _index(self, key: str, row: Row) -> None:
        if row.get("vmid") is not None:
            self._by_guest[row["vmid"]][key] = row
        if row.get("base"):
            self._clones[self._key(row["base"], row["node"])].add(key)

    def _key(self, volid: str, node: str | None) -> str:
        storage = volid.partition(":")[0]
        config = self._lab.store.get("storage", storage)
        if node is None or config is None or definitions.is_shared(config):
            return volid
        return f"{node}/{volid}"

    def get(self, volid: str, node: str | None) -> Row | None:
        """A volume as seen from a host, or None."""
        return self._lab.store.get("volume", self._key(volid, node))

    def require(self, volid: str, node: str) -> Row:
        """A volume as seen from a host; 500 when it is not there."""
        storage, name = names.parse_volume_id(volid)
        config = storage_config(self._lab, storage, node)
        names.parse_name(config["type"], name)
        row = self.get(volid, node)
        if row is None:
            raise failure(f"volume '{volid}' does not exist")
        return row

    def put(self, row: Row) -> Row:
        """Write a row; its key follows from its volume id and host."""
        key = self._key(row["volid"], row["node"])
        self._lab.store.put("volume", key, row)
        self.written += 1
        self._index(key, row)
        return row

    def update(self, row: Row, **changes: Any) -> Row:
        """Write a row with some values changed."""
        return self.put({**row, **changes})

    def add(self, volid: str, node: str, **values: Any) -> Row:
        """A new volume under a name that is known to be right."""
        storage, name = names.parse_volume_id(volid)
        config = storage_config(self._lab, storage)
        parsed = names.parse_name(config["type"], name)
        space.check(self._lab, config, volid, node)
        row: Row = {
            "volid": volid,
            "storage": storage,
            "node": None if definitions.is_shared(config) else node,
            "content": parsed.content,
            "format": parsed.format,
            "size": 0,
            "used": 0,
            "vmid": parsed.vmid,
            "base": f"{storage}:{parsed.base}" if parsed.base else None,
            "ctime": int(time.time()),
            "filled": False,
            "origin": None,
        }
        return self.put({**row, **values})

    def allocate(
        self,
        storage: str,
        node: str,
        vmid: int,
        *,
        size: int,
        kind: str | None = None,
        file: str | None = None,
        **values: Any,
    ) -> Row:
        """A new disk of `size` bytes for a guest, under the next free name or as `file`."""
        config = storage_config(self._lab, storage, node)
        kind = kind or definitions.formats(config)[0]
        if kind not in definitions.formats(config):
            raise failure(f"unsupported format '{kind}'")
        file = file or self.free_file(storage, config, node, vmid, kind)
        name = names.disk_name(config["type"], vmid, file)
        parsed = names.parse_name(config["type"], name)
        if parsed.vmid != vmid:
            raise failure(f"illegal name '{file}' - should be 'vm-{vmid}-*'")
        if definitions.has_path(config) and parsed.format != kind:
            text = f"wrong extension for format ('{parsed.format} != '{kind}')"
            raise failure(f"illegal name '{file}' - {text}")
        volid = f"{storage}:{name}"
        if self._disk_exists(storage, node, vmid, file):
            where = definitions.location(self._lab, volid)
            raise failure(f"disk image '{where}' already exists")
        if kind == "subvol" and size and config["type"] in _NO_QUOTAS:
            raise failure("storage does not support subvol quotas")
        return self.add(volid, node, size=size, **values)

    def _disk_exists(self, storage: str, node: str, vmid: int, file: str) -> bool:
        return any(
            row["volid"].rpartition("/")[2].rpartition(":")[2] == file
            for row in self._disks(storage, node, vmid)
        )

    def free_file(
        self, storage: str, config: definitions.Config, node: str, vmid: int, kind: str
    ) -> str:
        """The next free name of a disk: numbers count across formats."""
        used = {
            int(found[1])
            for row in self._disks(storage, node, vmid)
            if (found := _NUMBER.fullmatch(row["volid"].rpartition("/")[2].rpartition(":")[2]))
        }
        number = next((n for n in range(MAX_DISKS) if n not in used), None)
        if number is None:
            raise failure(f"unable to allocate an image name for VM {vmid} in storage '{storage}'")
        prefix = "subvol" if kind == "subvol" else "vm"
        suffix = f".{kind}" if definitions.has_path(config) else ""
        return f"{prefix}-{vmid}-disk-{number}{suffix}"

    def _disks(self, storage: str, node: str, vmid: int) -> list[Row]:
        return [
            row
            for row in self._by_guest.get(vmid, {}).values()
            if row["storage"] == storage and row["node"] in (None, node)
        ]

    def free(self, volid: str, node: str) -> None:
        """Remove a volume with its file; an absent one is no error, a base in use is one."""
        storage, name = names.parse_volume_id(volid)
        names.parse_name(storage_config(self._lab, storage)["type"], name)
        row = self.get(volid, node)
        if row is None:
            return
        if row.get("protected"):
            raise failure(f"cannot remove protected volume '{name}' on '{storage}'")
        if self.clones(row):
            raise failure(f"base volume '{name}' is still in use by linked clones")
        self._forget(row)
        if row.get("file"):
            (self._lab.settings.state / row["file"]).unlink(missing_ok=True)

    def _forget(self, row: Row) -> None:
        key = self._key(row["volid"], row["node"])
        self._lab.store.delete("volume", key)
        self.written += 1
        if row.get("vmid") is not None:
            self._by_guest[row["vmid"]].pop(key, None)
        if row.get("base"):
            self._clones[self._key(row["base"], row["node"])].discard(key)

    def clones(self, row: Row) -> list[Row]:
        """The linked clones of a base volume."""
        keys = self._clones.get(self._key(row["volid"], row["node"]), ())
        found = (self._lab.store.get("volume", key) for key in keys)
        return [clone for clone in found if clone is not None]

    def link(self, source: Row, node: str, vmid: int) -> Row:
        """A linked clone of a base volume for another guest."""
        storage, origin = names.parse_volume_id(source["volid"])
        config = storage_config(self._lab, storage, node)
        kind = "qcow2" if definitions.has_path(config) else source["format"]
        file = self.free_file(storage, config, node, vmid, kind)
        # Only the last part of a base that is itself a clone names it.
        parsed = names.parse_name(config["type"], origin)
        base = names.disk_name(config["type"], parsed.vmid or 0, parsed.name)
        name = names.disk_name(config["type"], vmid, file, base)
        return self.add(
            f"{storage}:{name}",
            node,
            size=source["size"],
            base=source["volid"],
            filled=source["filled"],
            origin=source["origin"],
        )

    def make_base(self, row: Row) -> Row:
        """Turn a disk into a base that linked clones may use; its name changes."""
        return self._rename(row, row["vmid"], "base")

    def hand_over(self, row: Row, node: str, vmid: int) -> Row:
        """Give a disk to another guest, under the next free name there."""
        config = storage_config(self._lab, row["storage"], node)
        file = self.free_file(row["storage"], config, node, vmid, row["format"])
        return self._move(row, f"{row['storage']}:{names.disk_name(config['type'], vmid, file)}")

    def _rename(self, row: Row, vmid: int, prefix: str) -> Row:
        storage, name = names.parse_volume_id(row["volid"])
        config = storage_config(self._lab, storage)
        parsed = names.parse_name(config["type"], name)
        folder = parsed.name.startswith("subvol-")
        file = re.sub(r"^(?:vm|subvol)-", f"{prefix}{'vol' if folder else ''}-", parsed.name)
        new = names.disk_name(config["type"], vmid, file, parsed.base)
        return self._move(row, f"{storage}:{new}")

    def _move(self, row: Row, volid: str) -> Row:
        self._forget(row)
        name = names.parse_name(
            storage_config(self._lab, row["storage"])["type"], volid.partition(":")[2]
        )
        return self.put({**row, "volid": volid, "vmid": name.vmid})

    def carry(self, row: Row, node: str) -> Row:
        """Move a volume of a storage that is not shared to another host; it arrives as a copy
        that depends on nothing."""
        if row["node"] is None or row["node"] == node:
            return row
        self._forget(row)
        return self.put({**row, "node": node, "base": None})

    def snapshot(self, row: Row, name: str) -> Row:
        """Remember the present state of a disk under a name."""
        state = {key: row[key] for key in _STATE}
        return self.update(row, snapshots={**row.get("snapshots", {}), name: state})

    def roll_back(self, row: Row, name: str) -> Row:
        """Bring a disk back to a snapshot; 500 when that is not possible."""
        self.check_roll_back(row, name)
        return self.update(row, **row["snapshots"][name])

    def check_roll_back(self, row: Row, name: str) -> None:
        """500 when a disk has no such snapshot, or one that its storage cannot go back to."""
        kept = list(row.get("snapshots", {}))
        if name not in kept:
            raise failure(f"can't rollback, snapshot '{name}' does not exist on '{row['volid']}'")
        kind = storage_config(self._lab, row["storage"])["type"]
        if newest_only(kind) and kept[-1] != name:
            text = f"can't rollback, '{name}' is not most recent snapshot on '{row['volid']}'"
            raise failure(text)

    def drop_snapshot(self, row: Row, name: str) -> Row:
        """Forget a snapshot of a disk; an absent one is no error."""
        kept = {n: state for n, state in row.get("snapshots", {}).items() if n != name}
        return self.update(row, snapshots=kept)

    def listed(self, storage: str, node: str, *, content: str | None = None) -> list[Row]:
        """The volumes of a storage as seen from a host."""
        return [
            row
            for _, row in self._lab.store.items("volume")
            if row["storage"] == storage
            and row["node"] in (None, node)
            and (content is None or row["content"] == content)
        ]

    def of_guest(self, vmid: int, node: str) -> list[Row]:
        """All disks with a guest's number, on all storages of its host."""
        rows = self._by_guest.get(vmid, {}).values()
        kinds = ("images", "rootdir")
        return [r for r in rows if r["node"] in (None, node) and r["content"] in kinds]


def _seeded(row: Row) -> Row:
    """What the row of a seed's image leaves out: an image that exists is not empty."""
    return {
        "storage": row["volid"].partition(":")[0],
        "used": row["size"],
        "filled": True,
        "origin": None,
    }


def volumes(lab: Lab) -> Volumes:
    """The lab's volumes; read again when rows were written by other code, such as the seed's."""
    generation, cached = lab.cache.get("volumes", (-1, None))
    found: Volumes | None = cached
    if found is None or generation != lab.store.generation_of("volume") - found.written:
        found = Volumes(lab)
        lab.cache["volumes"] = (lab.store.generation_of("volume"), found)
    return found
