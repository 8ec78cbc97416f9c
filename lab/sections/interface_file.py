"""What the file of a host's interfaces keeps of one: as it is written, and as it is read again.

Much of an interface follows from the reading: its kind from its name and options, a VLAN's tag
from its name, a bond's mode where none was given. What a kind does not write is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Interface = dict[str, Any]
Interfaces = dict[str, Interface]
PORTS = ("bridge_ports", "ovs_ports", "slaves", "ovs_bonds")
ALL_VLANS = "2-4094"
TAGGED = re.compile(r"(\S+)\.(\d+)")
VLAN = re.compile(r"vlan(\d+)")
_ALIAS = re.compile(r"(\S+):\d+")
_BOND = re.compile(r"bond\d+")
_CARD = re.compile(r"eth\d+|en[^:.]+|ib[^:.]+|(?:nic|if)\d+")
_SEPARATORS = re.compile(r"[;,\s]+")
_OWN_LINES = frozenset(
    f"{name}{version}"
    for name in ("method", "address", "netmask", "gateway", "comments", "options")
    for version in ("", "6")
) | {"type", "priority", "autostart", "families", "active", "exists", "cidr", "cidr6"}
_TEXTS = frozenset(
    {
        "mtu", "ovs_options", "ovs_bridge", "ovs_bonds", "ovs_ports", "bridge_fd", "bridge_vids",
        "bond_miimon", "bond_xmit_hash_policy", "bond-primary", "vlan-raw-device", "vlan-id",
        "bridge_stp", "bond_mode",
    }
)  # fmt: skip
_HASHED = ("balance-xor", "802.3ad")


def families(interface: Interface) -> list[str]:
    """The kinds of addresses that an interface has a part of the file for."""
    found = [kind for kind, key in (("inet", "address"), ("inet6", "address6")) if key in interface]
    return list(interface.get("families") or found or ["inet"])


def read_back(name: str, interface: Interface) -> Interface:
    """An interface as it is after it has been written and read; without its place."""
    kinds = families(interface)
    written = {**interface}
    if kinds == ["inet6"]:
        written["comments6"] = written.pop("comments", "")
    found: Interface = {"families": kinds, "method": "manual", "method6": "manual"}
    if interface.get("autostart"):
        found["autostart"] = 1
    for kind in kinds:
        found |= _addresses(written, kind.removeprefix("inet"))
    found |= _OPTIONS.get(interface["type"], _others)(_tag_in_name(name, written))
    comments = "".join(_comments(written.get(f"comments{k.removeprefix('inet')}")) for k in kinds)
    if comments:
        found["comments"] = comments
    return found | _kind(name, found)


def _addresses(interface: Interface, version: str) -> Interface:
    """The lines of one part; a length without an address is not written."""
    found = {f"method{version}": interface.get(f"method{version}", "manual")}
    if interface.get(f"address{version}"):
        address, _, length = str(interface[f"address{version}"]).partition("/")
        found[f"address{version}"] = address
        if bits := length or interface.get(f"netmask{version}"):
            found[f"netmask{version}"] = str(bits)
    if interface.get(f"gateway{version}"):
        found[f"gateway{version}"] = interface[f"gateway{version}"]
    return found


def _comments(text: str | None) -> str:
    lines = (text or "").rstrip("\n").split("\n") if text else []
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _tag_in_name(name: str, interface: Interface) -> Interface:
    """Without what a VLAN's name says already."""
    if interface["type"] != "vlan":
        return interface
    said = {"vlan-id"} if VLAN.fullmatch(name) else set()
    if TAGGED.fullmatch(name):
        said = {"vlan-id", "vlan-raw-device"}
    return {key: value for key, value in interface.items() if key not in said}


def _others(interface: Interface, done: Iterable[str] = ()) -> Interface:
    """All options that are not written by a rule of their own; unknown ones stay as lines."""
    found: Interface = {}
    for key, value in sorted(interface.items()):
        if key in _OWN_LINES or key in done or value in ("", 0, None):
            continue
        if key in ("slaves", "bridge_ports"):
            found[key] = _joined(str(value).split())
        elif key == "bridge_vlan_aware":
            found[key] = 1
        elif key in _TEXTS:
            found[key] = str(value)
        else:
            found.setdefault("options", []).append(f"{key} {value}")
    return found


def _joined(ports: Iterable[str]) -> str:
    return " ".join(sorted({port for port in ports if port and port != "none"}))


def _bridge(interface: Interface) -> Interface:
    found: Interface = {
        "bridge_ports": _joined(_SEPARATORS.split(str(interface.get("bridge_ports", "")))),
        "bridge_stp": interface.get("bridge_stp", "off"),
        "bridge_fd": str(interface.get("bridge_fd", "0")),
    }
    # To say that a bridge does not know VLANs makes one that does: only that it is said counts.
    if interface.get("bridge_vlan_aware") is not None:
        found |= {"bridge_vlan_aware": 1, "bridge_vids": interface.get("bridge_vids") or ALL_VLANS}
    return found | _others(interface, (*found, "bridge_vids"))


def _bond(interface: Interface) -> Interface:
    mode = interface.get("bond_mode") or "balance-rr"
    found: Interface = {
        "slaves": _joined(_SEPARATORS.split(str(interface.get("slaves", "")))),
        "bond_miimon": str(interface.get("bond_miimon", "100")),
        "bond_mode": mode,
    }
    if interface.get("bond_xmit_hash_policy") and mode in _HASHED:
        found["bond_xmit_hash_policy"] = interface["bond_xmit_hash_policy"]
    if interface.get("bond-primary") and mode == "active-backup":
        found["bond-primary"] = interface["bond-primary"]
    return found | _others(interface, (*found, "bond_xmit_hash_policy", "bond-primary"))


_OPTIONS = {"bridge": _bridge, "bond": _bond}


def _kind(name: str, found: Interface) -> Interface:
    """The kind of an interface, and what follows from it."""
    if "bridge_ports" in found:
        implied = {"bridge_stp": "off", "bridge_fd": 0}
        return {"type": "bridge"} | {k: v for k, v in implied.items() if k not in found}
    if _BOND.fullmatch(name):
        return {"type": "bond"}
    if _ALIAS.fullmatch(name):
        return {"type": "alias"}
    if tagged := TAGGED.fullmatch(name):
        device = found.get("vlan-raw-device") or tagged[1]
        return {"type": "vlan", "vlan-raw-device": device} | _tag(tagged[2])
    if "vlan-raw-device" in found:
        vlan = VLAN.fullmatch(name)
        return {"type": "vlan"} | (_tag(vlan[1]) if vlan else {})
    return {"type": "eth" if _CARD.fullmatch(name) else "unknown"}


def _tag(digits: str) -> Interface:
    return {"vlan-id": digits} if digits.strip("0") else {}


def rendered(interfaces: Interfaces) -> list[str]:
    """The lines of the file, as a difference shows them."""
    lines: list[str] = []
    for name, given in sorted(interfaces.items(), key=lambda item: item[1]["priority"]):
        interface = read_back(name, given)
        if interface.get("autostart"):
            lines.append(f"auto {name}")
        lines += _rendered(name, interface)
        lines.append("")
    return lines


def _rendered(name: str, interface: Interface) -> list[str]:
    lines = []
    for place, kind in enumerate(families(interface)):
        version = kind.removeprefix("inet")
        lines.append(f"iface {name} {kind} {interface.get(f'method{version}', 'manual')}")
        if interface.get(f"address{version}"):
            bits = interface.get(f"netmask{version}")
            address = interface[f"address{version}"]
            lines.append(f"\taddress {address}/{bits}" if bits else f"\taddress {address}")
        if interface.get(f"gateway{version}"):
            lines.append(f"\tgateway {interface[f'gateway{version}']}")
        if place == 0:
            lines += [
                f"\t{key.replace('_', '-')} {str(value).strip()}"
                for key, value in sorted(interface.items())
                if key not in _OWN_LINES
            ]
            lines += [f"#{line}" for line in str(interface.get("comments", "")).splitlines()]
    return lines
