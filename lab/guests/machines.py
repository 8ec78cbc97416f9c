"""Machine types: Windows guests get a version pinned, others follow the host's QEMU."""

from __future__ import annotations

from typing import Any

from lab.formats import parse_property_string, print_property_string
from lab.guests.options import is_windows

# The QEMU that the lab's hosts claim to run, and its newest revision of a machine type.
QEMU_VERSION = "10.0.13"
_PINNED = {"pc": "pc-i440fx-10.0+pve1", "q35": "pc-q35-10.0+pve1", "virt": "virt-10.0+pve1"}


def pinned_machine(machine: Any, ostype: Any) -> str | None:
    """The machine type to keep: the given one, with a version for Windows; None for none."""
    values = parse_property_string("pve-qemu-machine-fmt", str(machine)) if machine else {}
    kind = values.get("type", "")
    if is_windows(ostype) and kind in ("", *_PINNED):
        values["type"] = _PINNED[kind or "pc"]
    return print_property_string("pve-qemu-machine-fmt", values) if values else None
