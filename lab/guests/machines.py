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


def running_machine(machine: Any) -> str:
    """The machine type that a guest runs as: with a version, whatever its configuration says."""
    kind = parse_property_string("pve-qemu-machine-fmt", str(machine)) if machine else {}
    wanted = str(kind.get("type", "pc"))
    return _PINNED.get(wanted, wanted)


def running_cpu(cpu: Any) -> str:
    """The processor that QEMU was given."""
    values = parse_property_string("pve-qm-cpu", str(cpu)) if cpu else {}
    model = values.get("cputype", "x86-64-v2-AES")
    name, flags = _GENERIC.get(model, (model, ()))
    return ",".join([name, "enforce", "+kvm_pv_eoi", "+kvm_pv_unhalt", *flags])


# Models that are no processor but a set of instructions on top of QEMU's plain one.
_V2 = ("+pni", "+popcnt", "+sse4.1", "+sse4.2", "+ssse3")
_GENERIC = {"x86-64-v2": ("qemu64", _V2), "x86-64-v2-AES": ("qemu64", ("+aes", *_V2))}
