"""Which disks of a guest a backup has, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.lxc.record import Container

if TYPE_CHECKING:
    from lab.machine import Machine


def saved_disks(machine: Machine) -> list[tuple[str, str, bool, str]]:
    """Key, volume, whether a backup has it, and why, of the disks of a guest."""
    if isinstance(machine, Container):
        return [_saved_mount(key, mount) for key, mount in machine.mounts()]
    return [_saved_drive(machine, key, volid) for key, volid in machine.disks(machine.config)]


def _saved_mount(key: str, mount: dict[str, Any]) -> tuple[str, str, bool, str]:
    volid: str = mount["volume"]
    if key == "rootfs":
        return key, volid, True, "rootfs"
    if volid.startswith("/"):
        return key, volid, False, "not a volume"
    saved = bool(mount.get("backup"))
    return key, volid, saved, "enabled" if saved else "disabled"


def _saved_drive(machine: Machine, key: str, volid: str) -> tuple[str, str, bool, str]:
    if key.startswith("efidisk") and machine.config.get("bios") != "ovmf":
        return key, volid, False, "efidisk but no OVMF BIOS"
    text = f",{machine.config[key]},"
    said = ",backup=" in text
    return key, volid, ",backup=0," not in text, f"backup={'no' if said else 'yes'}"
