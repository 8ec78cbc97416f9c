"""A guest's drives as QEMU has them: the node with the content, and the device it shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engines.qemu import places
from lab.engines.qemu.places import Device

CONTROLLERS = {
    "lsi": "lsi",
    "lsi53c810": "lsi53c810",
    "virtio-scsi-pci": "virtio-scsi-pci",
    "virtio-scsi-single": "virtio-scsi-pci",
    "megasas": "megasas",
    "pvscsi": "pvscsi",
}
DEFAULT_CONTROLLER = "lsi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """What is in a drive: a file and its format, or nothing (`file` None)."""

    file: Path | None
    form: str = "qcow2"
    cdrom: bool = False


def node_name(key: str) -> str:
    """What QEMU calls the content of a drive."""
    return f"drive-{key}"


def node(key: str, medium: Medium) -> Device:
    """The node of a medium that is there."""
    file: Device = {"driver": "file", "filename": str(medium.file)}
    made = {"driver": medium.form, "node-name": node_name(key), "file": file}
    if medium.cdrom:
        return made | {"read-only": True, "file": file | {"read-only": True}}
    return made | {"discard": "unmap", "file": file | {"discard": "unmap"}}


def controller_model(config: dict[str, Any]) -> str:
    """The SCSI controller of a guest."""
    return str(config.get("scsihw") or DEFAULT_CONTROLLER)


def controllers(config: dict[str, Any], keys: list[str], root: str) -> list[Device]:
    """The controllers that drives need."""
    found, model = [], controller_model(config)
    for key in keys:
        name, number = places.split(key)
        if name == "scsi":
            found.append(places.scsi_disk(number, model)["bus"].partition(".")[0])
        elif name == "sata":
            found.append("ahci0")
    drivers = {"ahci0": "ich9-ahci"}
    return [
        {
            "driver": drivers.get(name) or CONTROLLERS[model],
            "id": name,
            "bus": root,
            "addr": hex(places.CONTROLLERS.get(name, 0) or _slot(name)),
        }
        for name in sorted(set(found))
    ]


def _slot(name: str) -> int:
    # More than two old controllers: beyond what Proxmox VE places, in slots that are free.
    return 0x16 + int(name.removeprefix("scsihw"))


def device(
    key: str, medium: Medium, config: dict[str, Any], kind: str, boot: int | None = None
) -> Device:
    """The device of a drive; `boot` is its turn when the machine looks for a system."""
    name, number = places.split(key)
    made: Device = {"id": key}
    if medium.file is not None:
        made["drive"] = node_name(key)
    if boot is not None:
        made["bootindex"] = boot
    if name == "virtio":
        return {"driver": "virtio-blk-pci"} | made | places.virtio_disk(number, places.ROOT[kind])
    suffix = "cd" if medium.cdrom else "hd"
    if name == "scsi":
        place = places.scsi_disk(number, controller_model(config))
        return {"driver": f"scsi-{suffix}"} | made | place
    place = {"bus": f"ahci0.{number}"} if name == "sata" else places.ide_disk(number, kind)
    return {"driver": f"ide-{suffix}"} | made | place
