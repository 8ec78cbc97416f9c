"""From a guest's configuration to the command line of its machine. Pure.

Devices, nodes and their names are dictionaries, as QEMU's own protocol has them: the same ones
start a machine and are plugged into one that runs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engines.lxc.settings import cores, memory_mib
from lab.engines.qemu import drives, places
from lab.engines.qemu.cards import Card
from lab.engines.qemu.drives import Medium
from lab.engines.qemu.places import Device
from lab.formats import parse_property_string
from lab.guests.drives import boot_order, default_boot_order
from lab.guests.options import is_windows

AGENT_PORT = "org.qemu.guest_agent.0"
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_TRANSLATIONS_MIB = 256
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
_SMBIOS = ("manufacturer", "product", "version", "serial", "sku", "family")
_LEFT_OUT = ("args", "tpmstate0", "hookscript")
_LEFT_OUT_NUMBERED = ("hostpci", "usb", "audio", "parallel", "virtiofs", "ivshmem", "numa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Where a machine listens, as it sees the folder itself, and what it writes its console to."""

    folder: str
    log: str

    def path(self, name: str) -> str:
        """The socket of a name: `qmp`, `agent`, `serial0`."""
        return f"{self.folder}/{name}"


def kind_of(config: dict[str, Any]) -> str:
    """The chip set: `pc` or `q35`."""
    text = str(config.get("machine") or "pc")
    name = str(parse_property_string("pve-qemu-machine-fmt", text).get("type", "pc"))
    return "q35" if "q35" in name else "pc"


def left_out(config: dict[str, Any]) -> list[str]:
    """Keys that a machine of the lab does not have, though its configuration names them."""
    return sorted(
        key for key in config if key in _LEFT_OUT or key.rstrip("0123456789") in _LEFT_OUT_NUMBERED
    )


def processor(accelerator: str) -> str:
    """By KVM the machine's own, else all that emulation knows, whatever `cpu` says."""
    return "host" if accelerator == "kvm" else "max"


def command(
    vmid: int,
    config: dict[str, Any],
    *,
    accelerator: str,
    media: Mapping[str, Medium],
    cards: Sequence[Card],
    taps: Mapping[int, int],
    sockets: Sockets,
    asleep: bool = False,
) -> list[str]:
    """The command of a machine; `media` are its drives by key, `taps` descriptors by card.

    One that is `asleep` waits for an order before its first instruction.
    """
    kind, firmware = kind_of(config), media.get("efidisk0")
    shown = {key: medium for key, medium in media.items() if key != "efidisk0"}
    words = ["qemu-system-x86_64", "-name", f"vm{vmid},debug-threads=on"]
    words += ["-no-user-config", "-nodefaults", "-display", "none", "-vga", "none"]
    words += ["-sandbox", _SANDBOX, "-boot", "menu=off,strict=on"]
    words += _board(config, kind, accelerator, firmware)
    words += ["-S"] if asleep else []
    words += _smbios(config)
    words += _ports(sockets)
    found = _devices(config, kind, shown, cards)
    for bridge, slots in places.BRIDGES.items():
        if any(places.bridge_of(each) == bridge for each in found):
            made = {"driver": "pci-bridge", "id": bridge, "chassis_nr": int(bridge[-1])}
            words += _device(made | {"bus": places.ROOT[kind], "addr": hex(slots[kind])})
    keys = sorted(shown)
    for each in drives.controllers(config, keys, places.ROOT[kind]):
        words += _device(each)
    for key in keys:
        if shown[key].file is not None:
            words += ["-blockdev", _text(drives.node(key, shown[key]))]
    for card in cards:
        words += ["-netdev", _network(card, taps)]
    for device in found:
        words += _device(device)
    return words


def _board(
    config: dict[str, Any], kind: str, accelerator: str, firmware: Medium | None
) -> list[str]:
    machine = kind
    words: list[str] = []
    if config.get("bios") == "ovmf":
        code = Medium(file=FIRMWARE, form="raw", cdrom=True)
        words += ["-blockdev", _text(drives.node("firmware", code))]
        machine += f",pflash0={drives.node_name('firmware')}"
        if firmware is not None:
            words += ["-blockdev", _text(drives.node("efidisk0", firmware))]
            machine += f",pflash1={drives.node_name('efidisk0')}"
    sockets = int(config.get("sockets", 1))
    number = cores(config)
    emulated = f",thread=multi,tb-size={_TRANSLATIONS_MIB}" if accelerator == "tcg" else ""
    return [
        *words, "-machine", machine, "-accel", f"{accelerator}{emulated}",
        "-cpu", processor(accelerator), "-m", f"{memory_mib(config)}M",
        "-smp", f"{number},sockets={sockets},cores={number // sockets},threads=1",
        "-rtc", f"base={'localtime' if is_windows(config.get('ostype')) else 'utc'},driftfix=slew",
    ]  # fmt: skip


def _smbios(config: dict[str, Any]) -> list[str]:
    given = parse_property_string("pve-qm-smbios1", str(config.get("smbios1") or ""))
    words = ["-uuid", str(given["uuid"])] if given.get("uuid") else []
    values = ["type=1"]
    for name in _SMBIOS:
        if value := given.get(name):
            text = base64.b64decode(value).decode() if given.get("base64") else str(value)
            values.append(f"{name}={text.replace(',', ',,')}")
    words += ["-smbios", ",".join(values)] if len(values) > 1 else []
    if generation := config.get("vmgenid"):
        words += _device({"driver": "vmgenid", "guid": str(generation)})
    return words


def _ports(sockets: Sockets) -> list[str]:
    """The sockets of the monitor, the agent and the console."""
    options = "server=on,wait=off"
    return [
        "-chardev", f"socket,id=qmp,path={sockets.path('qmp')},{options}",
        "-mon", "chardev=qmp,mode=control",
        "-chardev", f"socket,id=serial0,path={sockets.path('serial0')},{options},"
        f"logfile={sockets.log.replace(',', ',,')},logappend=on",
        "-serial", "chardev:serial0",
        "-chardev", f"socket,id=agent,path={sockets.path('agent')},{options}",
    ]  # fmt: skip


def _devices(
    config: dict[str, Any], kind: str, media: Mapping[str, Medium], cards: Sequence[Card]
) -> list[Device]:
    root = places.ROOT[kind]
    order = boot_order(config) or default_boot_order(config)
    turns = {key: 100 + place for place, key in enumerate(order)}
    slot = {"bus": root, "addr": hex(places.CONTROLLERS["serial"])}
    found: list[Device] = [
        {"driver": "virtio-serial-pci", "id": "serial"} | slot,
        {"driver": "virtserialport", "bus": "serial.0", "chardev": "agent", "name": AGENT_PORT},
    ]
    if config.get("rng0"):
        found.append({"driver": "virtio-rng-pci", "bus": root, "addr": "0x1d"})
    found += [drives.device(key, media[key], config, kind, turns.get(key)) for key in sorted(media)]
    return [*found, *(card_device(each, kind, turns.get(f"net{each.number}")) for each in cards)]


def card_device(card: Card, kind: str, boot: int | None = None) -> Device:
    """The device of a network card."""
    made: Device = {"driver": card.driver, "id": f"net{card.number}", "mac": card.mac}
    made |= {"netdev": f"net{card.number}"} | places.card(card.number, places.ROOT[kind])
    if boot is not None:
        made["bootindex"] = boot
    if card.mtu and card.driver == "virtio-net-pci":
        made["host_mtu"] = card.mtu
    return made


def _network(card: Card, taps: Mapping[int, int]) -> str:
    """What is behind a card: its tap, or nothing."""
    name = f"net{card.number}"
    if card.number not in taps:
        return f"hubport,id={name},hubid={card.number}"
    return f"tap,id={name},fd={taps[card.number]},vhost=off"


def _device(device: Device) -> list[str]:
    return ["-device", _text(device)]


def _text(value: Device) -> str:
    return json.dumps(value, separators=(",", ":"))
