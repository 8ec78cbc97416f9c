"""A guest's record: configuration, changes that wait for a restart, and status.

Row of kind `qemu`, keyed by the VMID: `node`, `config` (numbers and texts as the API shows them),
`pending` (values that wait), `pending_delete` (keys whose removal waits, with 1 when volumes are
to be destroyed with them), `unsynced` (cloud-init values as the guest's drive still has them),
`status` (`running` or `stopped`), `qmp` (`running` or `paused`), `since` (time of the start),
`pid`, and `snapshots`: configurations by name, each with `snaptime`, `parent`, `description`,
`vmstate` (the volume with the memory) and, while one is made or removed, `snapstate`.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from lab.errors import failure
from lab.guests.drives import is_drive, is_unused, parse_drive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab

Config = dict[str, Any]
KIND = "qemu"


@dataclass(slots=True, kw_only=True)
class Guest:
    """A working copy of a guest's row; nothing changes before `save`."""

    lab: Lab
    vmid: int
    node: str
    config: Config = field(default_factory=dict)
    pending: Config = field(default_factory=dict)
    pending_delete: dict[str, int] = field(default_factory=dict)
    unsynced: Config = field(default_factory=dict)
    snapshots: dict[str, Config] = field(default_factory=dict)
    status: str = "stopped"
    qmp: str = "stopped"
    since: float = 0
    pid: int = 0

    @property
    def running(self) -> bool:
        """Whether the guest has power (a paused one has)."""
        return self.status == "running"

    @property
    def template(self) -> bool:
        """Whether the guest is a template."""
        return bool(self.config.get("template"))

    @property
    def digest(self) -> str:
        """A fingerprint of the configuration and what is pending, as a configuration file has."""
        content = (
            self.config, self.pending, self.pending_delete, self.unsynced, self.snapshots
        )  # fmt: skip
        return hashlib.sha1(
            orjson.dumps(content, option=orjson.OPT_SORT_KEYS), usedforsecurity=False
        ).hexdigest()

    def row(self) -> dict[str, Any]:
        """What is kept; its values are not the working copy's."""
        return {
            "node": self.node,
            "config": dict(self.config),
            "pending": dict(self.pending),
            "pending_delete": dict(self.pending_delete),
            "unsynced": dict(self.unsynced),
            "snapshots": {name: dict(config) for name, config in self.snapshots.items()},
            "status": self.status,
            "qmp": self.qmp,
            "since": self.since,
            "pid": self.pid,
        }

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is changed inside is forgotten when it fails."""
        before = dict(self.config), dict(self.pending), dict(self.pending_delete)
        try:
            yield
        except BaseException:
            self.config, self.pending, self.pending_delete = before
            raise

    def save(self) -> None:
        """Write the copy; empty values are kept as one blank, as in a configuration file."""
        self._forget_reattached()
        for values in (self.config, self.pending):
            for key, value in values.items():
                if value == "":
                    values[key] = " "
        self.lab.store.put(KIND, str(self.vmid), self.row())

    def _forget_reattached(self) -> None:
        """A volume that is attached again is no longer unused."""
        unused = [key for key in self.config if is_unused(key)]
        if unused:
            attached = {drive["file"] for _, drive in self.drives()}
            for key in unused:
                if self.config[key] in attached:
                    del self.config[key]

    def remove(self) -> None:
        """Take the guest out of the cluster."""
        self.lab.store.delete(KIND, str(self.vmid))

    def check_lock(self) -> None:
        """500 when a backup, a clone or the like holds the guest."""
        if lock := self.config.get("lock"):
            raise failure(f"VM is locked ({lock})")

    def check_digest(self, digest: str | None) -> None:
        """500 when the caller saw another state of the configuration."""
        if digest and digest != self.digest:
            raise failure("checksum mismatch (file change by other user?)")

    def check_protection(self, text: str) -> None:
        """500 when the guest is protected from what `text` says cannot be done."""
        if self.config.get("protection"):
            raise failure(f"{text} - protection mode enabled")

    def drives(self, config: Config | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """The attached drives, or those of another configuration, parsed, sorted by key."""
        config = self.config if config is None else config
        for key in sorted(filter(is_drive, config)):
            yield key, parse_drive(key, config[key])

    def disks(self, config: Config) -> list[tuple[str, str]]:
        """Key and volume of the disks of a configuration of the guest; CD drives are none."""
        found = self.drives(config)
        return [(key, drive["file"]) for key, drive in found if drive.get("media") != "cdrom"]

    def in_snapshot(self, volid: str) -> bool:
        """Whether a volume belongs to a snapshot of the guest."""
        return any(
            drive["file"] == volid
            for config in self.snapshots.values()
            for _, drive in self.drives(config)
        )

    def snapshot(self, name: str) -> Config:
        """The configuration in a snapshot; 500 when there is none of that name."""
        found = self.snapshots.get(name)
        if found is None:
            raise failure(f"snapshot '{name}' does not exist")
        return found


def from_row(lab: Lab, vmid: int | str, row: dict[str, Any]) -> Guest:
    """A working copy of a row."""
    return Guest(
        lab=lab,
        vmid=int(vmid),
        node=row["node"],
        config=dict(row["config"]),
        pending=dict(row["pending"]),
        pending_delete=dict(row["pending_delete"]),
        unsynced=dict(row["unsynced"]),
        snapshots={name: dict(config) for name, config in row.get("snapshots", {}).items()},
        status=row["status"],
        qmp=row["qmp"],
        since=row["since"],
        pid=row["pid"],
    )


def find_row(lab: Lab, vmid: int | str, node: str | None = None) -> dict[str, Any] | None:
    """The stored row of a guest, or None when there is none, or none on that host."""
    row = lab.store.get(KIND, str(vmid))
    return row if row is not None and node in (None, row["node"]) else None


def load(lab: Lab, vmid: int | str, node: str) -> Guest:
    """The guest; 500 with Proxmox VE's text when it is not on that host."""
    row = find_row(lab, vmid, node)
    if row is None:
        raise missing(vmid, node)
    return from_row(lab, vmid, row)


def missing(vmid: int | str, node: str) -> Exception:
    """What is answered for a guest that is not on a host."""
    return failure(f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")


def missing_file(vmid: int | str, node: str) -> Exception:
    """The same, in the words of the calls that look for the file first."""
    return failure(f"unable to find configuration file for VM {vmid} on node '{node}'")


def occupied_by(lab: Lab, vmid: int | str) -> tuple[str, str] | None:
    """Kind and host of the guest that has a number (`VM` or `CT`), or None."""
    for kind, word in ((KIND, "VM"), ("lxc", "CT")):
        if row := lab.store.get(kind, str(vmid)):
            return word, row["node"]
    return None
