"""The file of a host's interfaces: order, checks before it is written, and its text."""

from __future__ import annotations

import re
from typing import Any

from lab.errors import failure

Interface = dict[str, Any]
Interfaces = dict[str, Interface]
FIRST_PRIORITY = 3  # 1 is the loopback's, 2 the place of its own stanza
_ORDER = {
    "eth": 2,
    "OVSPort": 2,
    "bond": 2,
    "OVSIntPort": 3,
    "OVSBond": 4,
    "bridge": 5,
    "OVSBridge": 5,
}
_LAST = 9
PORTS = ("bridge_ports", "ovs_ports", "slaves", "ovs_bonds")
ALL_VLANS = "2-4094"
_LAST_VLAN = 4094
_USUAL_MTU = 1500
_TAGGED = re.compile(r"(\S+)\.(\d+)")
_VLAN = re.compile(r"vlan(\d+)")
_PLACE = " at /usr/share/perl5/PVE/INotify.pm line 1."


def arranged(interfaces: Interfaces) -> Interfaces:
    """Checked interfaces in the order of the file, with their `priority` (place) in it."""
    known = {name: _completed(name, interface) for name, interface in interfaces.items()}
    for name, interface in known.items():
        _check(name, interface, known)
    names = sorted(
        known,
        key=lambda name: (_weight(name, known), known[name].get("priority", 1_000), name),
    )
    return {
        name: {**known[name], "priority": place} for place, name in enumerate(names, FIRST_PRIORITY)
    }


def _completed(name: str, interface: Interface) -> Interface:
    """Without what the file does not say, and with what it implies."""
    found = {
        key: value
        for key, value in interface.items()
        if value not in ("", 0) or key == "bridge_ports"
    }
    if not found.get("bridge_vlan_aware"):
        found.pop("bridge_vids", None)
    elif found["type"] == "bridge":
        found.setdefault("bridge_vids", ALL_VLANS)
    return _tagged(name, found) if found["type"] == "vlan" else found


def _tagged(name: str, interface: Interface) -> Interface:
    """A VLAN's device and tag from its name when they are not given."""
    found = dict(interface)
    if tagged := _TAGGED.fullmatch(name):
        found["vlan-raw-device"], found["vlan-id"] = tagged[1], tagged[2]
    elif vlan := _VLAN.fullmatch(name):
        found.setdefault("vlan-id", vlan[1])
    if "vlan-raw-device" not in found:
        raise failure(f"missing vlan-raw-device option{_PLACE}")
    if "vlan-id" not in found:
        raise failure(f"missing vlan-id option{_PLACE}")
    return found


def _weight(name: str, known: Interfaces) -> tuple[int, int]:
    if tagged := _TAGGED.fullmatch(name):
        parent = known.get(tagged[1])
        return (_ORDER.get(parent["type"], _LAST) if parent else _LAST, 1)
    return (_ORDER.get(known[name]["type"], _LAST), 0)


def _check(name: str, interface: Interface, known: Interfaces) -> None:
    """What the file's writer refuses."""
    kind = interface["type"]
    _check_ports_free(name, interface, known)
    if kind == "bond":
        _check_bond(name, interface, known)
    elif kind == "vlan":
        _check_vlan(name, interface, known)
    elif kind == "bridge":
        _check_bridge(name, interface, known)


def ports(interface: Interface) -> list[str]:
    """The interfaces that are ports or slaves of this one."""
    found = (interface.get(key, "") for key in PORTS)
    return [port for text in found for port in str(text).split()]


def _check_ports_free(name: str, interface: Interface, known: Interfaces) -> None:
    for port in ports(interface):
        for other, its in known.items():
            if other != name and port in ports(its):
                raise failure(f"port '{port}' is already used on interface '{other}'")


def _check_bond(name: str, interface: Interface, known: Interfaces) -> None:
    slaves = str(interface.get("slaves", "")).split()
    for slave in slaves:
        found = known.get(slave, {}).get("type", "")
        if found not in ("eth", "bond"):
            raise failure(
                f"bond '{name}' - wrong interface type on slave '{slave}' "
                f"('{found}' != 'eth or bond')"
            )
        _check_mtu(known, name, slave)
    if slaves and interface.get("bond-primary", slaves[0]) not in slaves:
        raise failure(f"bond '{name}' - bond-primary interface is not a slave{_PLACE}")


def _check_vlan(name: str, interface: Interface, known: Interfaces) -> None:
    device, number = interface.get("vlan-raw-device"), interface["vlan-id"]
    if int(number) > _LAST_VLAN:
        raise failure(f"vlan '{name}' - vlan-id {number} should be <= {_LAST_VLAN}")
    parent = known.get(device or "")
    if parent is None:
        raise failure(f"vlan '{name}' - unable to find parent '{device}'")
    if parent["type"] not in ("eth", "bridge", "bond", "vlan"):
        raise failure(
            f"vlan '{name}' - wrong interface type on parent '{device}' "
            f"('{parent['type']}' != 'eth|bond|bridge|vlan' )"
        )
    _check_mtu(known, str(device), name)


def _check_bridge(name: str, interface: Interface, known: Interfaces) -> None:
    for port in str(interface.get("bridge_ports", "")).split():
        found = known.get(port)
        if found is None:
            if not _TAGGED.fullmatch(port):
                raise failure(f"bridge '{name}' - unable to find bridge port '{port}'")
            continue
        addresses = (found.get("address", "0.0.0.0"), found.get("address6", "::"))  # noqa: S104
        if addresses != ("0.0.0.0", "::"):  # noqa: S104
            raise failure(
                f"iface {port} - ip address can't be set on interface if bridged in {name}"
            )
        _check_mtu(known, port, name)


def _check_mtu(known: Interfaces, parent: str, child: str) -> None:
    """A child's frames have to fit through its parent."""
    wanted = int(known[child].get("mtu") or 0)
    default = wanted if known[parent]["type"] == "bond" else _USUAL_MTU
    room = int(known[parent].get("mtu") or default)
    if room < wanted:
        raise failure(f"interface '{parent}' - mtu {room} is lower than '{child}' - mtu {wanted}")


def rendered(interfaces: Interfaces) -> list[str]:
    """The lines of the file, as a difference shows them."""
    lines: list[str] = []
    for name, interface in sorted(interfaces.items(), key=lambda item: item[1]["priority"]):
        if interface.get("autostart"):
            lines.append(f"auto {name}")
        lines.append(f"iface {name} inet {interface.get('method', 'manual')}")
        lines += [
            f"\t{key.replace('_', '-')} {str(value).strip()}"
            for key, value in sorted(interface.items())
            if key not in ("autostart", "method", "method6", "priority", "type", "comments")
        ]
        lines += [f"#{line}" for line in str(interface.get("comments", "")).splitlines()]
        lines.append("")
    return lines
