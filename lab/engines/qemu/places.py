"""Where devices sit in a machine: the same slots as Proxmox VE gives them, so that a guest finds
its cards and disks under the same names in the lab and on a site. Pure."""

from __future__ import annotations

import re
from typing import Any

Device = dict[str, Any]
_NUMBER = re.compile(r"([a-z]+)(\d+)")
ROOT = {"pc": "pci.0", "q35": "pcie.0"}
# Bridges for what has no place on the first bus, and their slots there by chip set: the newer one
# has its own functions in the last slot.
BRIDGES = {"pci.1": {"pc": 0x1E, "q35": 0x1E}, "pci.2": {"pc": 0x1F, "q35": 0x1C}}
CONTROLLERS = {"scsihw0": 5, "scsihw1": 6, "ahci0": 7, "serial": 8}
_FIRST_CARD, _CARDS_ON_ROOT = 18, 6
_FIRST_DISK, _DISKS_ON_ROOT = 10, 6
_LSI_DISKS = 7


def split(key: str) -> tuple[str, int]:
    """`scsi0` as `scsi` and 0."""
    found = _NUMBER.fullmatch(key)
    if found is None:
        raise ValueError(f"{key} has no number")
    return found[1], int(found[2])


def card(number: int, root: str) -> Device:
    """Bus and slot of a network card."""
    if number < _CARDS_ON_ROOT:
        return {"bus": root, "addr": hex(_FIRST_CARD + number)}
    return {"bus": "pci.1", "addr": hex(number - _CARDS_ON_ROOT + 1)}


def virtio_disk(number: int, root: str) -> Device:
    """Bus and slot of a disk that is a device of its own."""
    if number < _DISKS_ON_ROOT:
        return {"bus": root, "addr": hex(_FIRST_DISK + number)}
    return {"bus": "pci.2", "addr": hex(number - _DISKS_ON_ROOT + 1)}


def scsi_disk(number: int, model: str) -> Device:
    """Controller and place of a SCSI disk; old controllers have seven of them each."""
    if model.startswith("lsi"):
        return {
            "bus": f"scsihw{number // _LSI_DISKS}.0",
            "scsi-id": number % _LSI_DISKS,
        }
    return {"bus": "scsihw0.0", "channel": 0, "scsi-id": 0, "lun": number}


def ide_disk(number: int, kind: str) -> Device:
    """Place of an IDE disk: two on a cable, or one on each port of the newer chip set."""
    if kind == "q35":
        return {"bus": f"ide.{number}", "unit": 0}
    return {"bus": f"ide.{number // 2}", "unit": number % 2}


def bridge_of(device: Device) -> str | None:
    """The bridge that a device needs beside the first bus."""
    bus = str(device.get("bus", ""))
    return bus if bus in BRIDGES else None
