"""A virtual machine's record: configuration, changes that wait for a restart, and status.

Row of kind `qemu` with the fields of every guest, and `unsynced` (cloud-init values as the guest's
drive still has them) and `qmp` (`running` or `paused`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from lab.digest import told
from lab.errors import failure
from lab.guests.drives import cloud_init_key, is_drive, parse_drive
from lab.machine import Config, Machine, fields_of, occupied_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab

KIND = "qemu"


@dataclass(slots=True, kw_only=True)
class Guest(Machine):
    """A working copy of a virtual machine's row; nothing changes before `save`."""

    KIND: ClassVar[str] = KIND
    WORD: ClassVar[str] = "VM"

    unsynced: Config = field(default_factory=dict)
    qmp: str = "stopped"

    def content(self) -> tuple[Config, ...]:
        """What the configuration file would hold."""
        return self.config, self.pending, self.pending_delete, self.unsynced, self.snapshots

    def row(self) -> dict[str, Any]:
        """What is kept; its values are not the working copy's."""
        return {**Machine.row(self), "unsynced": dict(self.unsynced), "qmp": self.qmp}

    def save(self) -> None:
        """Write the copy as a configuration file keeps it: without blanks around values, an
        empty value as one blank, and a description that says nothing not at all."""
        for described in (self.config, *self.snapshots.values()):
            if text := str(described.pop("description", "")).rstrip():
                described["description"] = text
        for values in (self.config, self.pending):
            for key, value in values.items():
                if isinstance(value, str) and key != "description":
                    values[key] = value.strip() or " "
        if self.unsynced and cloud_init_key(self.config) is None:
            self.unsynced.clear()  # nothing is out of date without a drive
        Machine.save(self)

    def check_digest(self, digest: str | None) -> None:
        """500 when the caller saw another state of the configuration."""
        if told(digest) and digest != self.digest:
            raise failure("checksum mismatch (file change by other user?)")

    def drives(self, config: Config | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """The attached drives, or those of another configuration, parsed, sorted by key."""
        config = self.config if config is None else config
        for key in sorted(filter(is_drive, config)):
            yield key, parse_drive(key, config[key])

    def disks(self, config: Config) -> list[tuple[str, str]]:
        """Key and volume of the disks of a configuration; CD drives are none."""
        found = self.drives(config)
        return [(key, drive["file"]) for key, drive in found if drive.get("media") != "cdrom"]


def from_row(lab: Lab, vmid: int | str, row: dict[str, Any]) -> Guest:
    """A working copy of a row."""
    return Guest(
        lab=lab,
        vmid=int(vmid),
        unsynced=dict(row["unsynced"]),
        qmp=row["qmp"],
        **fields_of(row),
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


__all__ = [
    "KIND",
    "Config",
    "Guest",
    "find_row",
    "from_row",
    "load",
    "missing",
    "missing_file",
    "occupied_by",
]
