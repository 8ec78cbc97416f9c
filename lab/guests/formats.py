"""Named formats of guests' options, with Proxmox VE's texts."""

from __future__ import annotations

import re

from lab.formats import named_format, parse_property_string, split_list
from lab.guests import cpu_models
from lab.guests.drives import BOOT_DRIVES, DRIVES
from lab.named_formats import is_cidr4, is_cidr6, is_ipv6
from lab.storage.names import split_volume_id
from lab.storage.sizes import parse_size

_BOOT_DEVICES = {*BOOT_DRIVES, *(f"net{n}" for n in range(32)), *(f"usb{n}" for n in range(14)),
                 *(f"hostpci{n}" for n in range(16))}  # fmt: skip
_HOTPLUG = {"network", "disk", "cpu", "memory", "usb", "cloudinit"}
_URL_ENCODED = re.compile(r"[-%a-zA-Z0-9_.!~*'()]*")
_BRIDGE = re.compile(r"[-_.\w]+", re.ASCII)
_STARTUP = re.compile(r"(?:order=)?\d+|(?:up|down)=\d+", re.ASCII)
_CPU_RANGE = re.compile(r"\s*(\d+)(?:-(\d+))?\s*", re.ASCII)


@named_format("pve-volume-id")
def _volume_id(text: str) -> None:
    if split_volume_id(text) is None:
        raise ValueError(f"unable to parse volume ID '{text}'")


@named_format("pve-volume-id-or-absolute-path")
def _volume_id_or_path(text: str) -> None:
    if not text.startswith("/"):
        _volume_id(text)


@named_format("pve-volume-id-or-qm-path")
def _volume_id_or_drive_path(text: str) -> None:
    if text not in ("none", "cdrom"):
        _volume_id_or_path(text)


@named_format("urlencoded")
def _url_encoded(text: str) -> None:
    if not _URL_ENCODED.fullmatch(text):
        raise ValueError(f"invalid urlencoded string: {text}")


@named_format("pve-bridge-id")
def _bridge(text: str) -> None:
    if not _BRIDGE.fullmatch(text):
        raise ValueError(f"invalid bridge ID '{text}'")


@named_format("pve-startup-order")
def _startup(text: str) -> None:
    parts = [part for part in text.split(",") if part.strip()]
    if text in ("", "0") or not all(_STARTUP.fullmatch(part) for part in parts):
        raise ValueError("unable to parse startup options")


@named_format("disk-size")
def _disk_size(text: str) -> None:
    if parse_size(text) is None:
        raise ValueError(f"value does not look like a valid disk size: {text}")


@named_format("pve-ipv4-config")
def _ipv4_config(text: str) -> None:
    if text not in ("dhcp", "manual") and not is_cidr4(text):
        raise ValueError("value does not look like a valid ipv4 network configuration")


@named_format("pve-ipv6-config")
def _ipv6_config(text: str) -> None:
    plain = text in ("auto", "dhcp", "manual")
    if not plain and not (is_cidr6(text) and is_ipv6(text.partition("/")[0])):
        raise ValueError("value does not look like a valid ipv6 network configuration")


@named_format("pve-qm-bootdev")
def _boot_device(text: str) -> None:
    if text not in _BOOT_DEVICES:
        raise ValueError(f"invalid boot device '{text}'")


@named_format("pve-qm-bootdisk")
def _boot_disk(text: str) -> None:
    if text not in DRIVES:
        raise ValueError(f"invalid boot disk '{text}'")


@named_format("pve-hotplug-features")
def _hotplug(text: str) -> None:
    if text in ("0", "1"):
        return
    for feature in split_list(text):
        if feature not in _HOTPLUG:
            raise ValueError(f"invalid hotplug feature '{feature}'")


@named_format("pve-cpuset")
def _cpu_set(text: str) -> None:
    parts = [_CPU_RANGE.fullmatch(part) for part in text.rstrip(",").split(",")] if text else []
    if not all(part and int(part[2] or part[1]) >= int(part[1]) for part in parts):
        raise ValueError("unable to parse cpuset option")


@named_format("pve-phys-bits")
def _phys_bits(text: str) -> None:
    bits = text.isascii() and text.isdigit() and 8 <= int(text) <= 64
    if text != "host" and not bits:
        raise ValueError("value must be an integer between 8 and 64 or 'host'")


@named_format("pve-vm-cpu-conf")
def _cpu(text: str) -> None:
    cpu = parse_property_string("pve-qm-cpu", text, "cpu")
    kind = cpu.get("cputype")
    if not kind:
        raise ValueError("CPU is missing cputype")
    if kind.startswith("custom-"):
        raise ValueError(f"Custom cputype '{kind.removeprefix('custom-')}' not found")
    if kind not in cpu_models.MODELS:
        raise ValueError(f"Built-in cputype '{kind}' is not defined (missing 'custom-' prefix?)")
    flags = [flag[1:] for flag in cpu.get("flags", "").split(";") if flag]
    if not set(flags) <= set(cpu_models.GUEST_FLAGS):
        known = ", ".join(cpu_models.GUEST_FLAGS)
        raise ValueError(f"VM-specific CPU flags must be a subset of: {known}")
    if "reported-model" in cpu:
        raise ValueError("Property 'reported-model' not allowed in VM-specific CPU config.")
