"""A container's record: the row of kind `lxc`, with the fields of every guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lab.errors import failure
from lab.lxc.mounts import in_order, is_mount, parse_mount
from lab.machine import Config, Machine, check_unchanged, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.app import Lab
    from lab.lxc.mounts import Mount

KIND = "lxc"


@dataclass(slots=True, kw_only=True)
class Container(Machine):
    """A working copy of a container's row; nothing changes before `save`."""

    KIND: ClassVar[str] = KIND
    WORD: ClassVar[str] = "CT"

    def save(self) -> None:
        """Write the copy: empty values are dropped, descriptions end with a new line."""
        for values in (self.config, self.pending, *self.snapshots.values()):
            for key in [key for key, value in values.items() if value == ""]:
                del values[key]
            if text := values.get("description"):
                values["description"] = str(text).rstrip("\n") + "\n"
        Machine.save(self)

    def check_digest(self, digest: str | None) -> None:
        """500 when the caller saw another state of the configuration."""
        check_unchanged(self, digest)

    def mounts(self, config: Config | None = None) -> Iterator[tuple[str, Mount]]:
        """The root file system and the mount points of a configuration, parsed, in order."""
        config = self.config if config is None else config
        for key in in_order(filter(is_mount, config)):
            yield key, parse_mount(key, config[key])

    def disks(self, config: Config) -> list[tuple[str, str]]:
        """Key and volume of those that are volumes, not folders or devices of the host."""
        found = self.mounts(config)
        return [(key, mount["volume"]) for key, mount in found if mount["volume"][0] != "/"]


def from_row(lab: Lab, vmid: int | str, row: dict[str, Any]) -> Container:
    """A working copy of a row."""
    return Container(lab=lab, vmid=int(vmid), **fields_of(row))


def find_row(lab: Lab, vmid: int | str, node: str | None = None) -> dict[str, Any] | None:
    """The stored row of a container, or None when there is none, or none on that host."""
    row = lab.store.get(KIND, str(vmid))
    return row if row is not None and node in (None, row["node"]) else None


def load(lab: Lab, vmid: int | str, node: str) -> Container:
    """The container; 500 with Proxmox VE's text when it is not on that host."""
    row = find_row(lab, vmid, node)
    if row is None:
        raise failure(f"Configuration file 'nodes/{node}/lxc/{vmid}.conf' does not exist")
    return from_row(lab, vmid, row)


def is_running(lab: Lab, vmid: int | str, node: str) -> bool:
    """Whether a container runs on a host; one that is not there does not."""
    row = find_row(lab, vmid, node)
    return row is not None and row["status"] == "running"
