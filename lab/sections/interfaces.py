"""The file of a host's interfaces: checks before it is written, and the order in it."""

from __future__ import annotations

import re
from functools import cmp_to_key

from lab.errors import failure
from lab.formats import split_list
from lab.sections.interface_file import PORTS, TAGGED, VLAN, Interface, Interfaces, read_back

FIRST_PRIORITY = 3  # 1 is the loopback's, 2 the place of its own stanza
_ORDER = {
    "loopback": 100_000,
    "eth": 200_000,
    "OVSPort": 200_000,
    "OVSIntPort": 300_000,
    "bond": 400_000,
    "OVSBond": 400_000,
    "bridge": 500_000,
    "OVSBridge": 500_000,
    "vlan": 600_000,
}
_NEW = 50_000
_LAST_VLAN = 4094
_USUAL_MTU = 1500
_PORT = re.compile(r"(\S+)\.(\d+)$")
_PLACE = " at /usr/share/perl5/PVE/Network/Interfaces.pm line 1."


def arranged(interfaces: Interfaces) -> Interfaces:
    """Checked interfaces as they are read again, in the order of the file, with their `priority`
    (place) in it."""
    known = {name: dict(interface) for name, interface in interfaces.items()}
    _check_ports_free(known)
    for name, interface in known.items():
        if interface["type"] == "bond":
            _check_bond(name, interface, known)
    for name, interface in known.items():
        if interface["type"] == "vlan":
            _check_vlan(name, interface, known)
    for name, interface in known.items():
        if interface["type"] == "bridge":
            _check_bridge(name, interface, known)

    def compared(one: str, other: str) -> int:
        return _compared(one, other, known)

    names = sorted(known, key=cmp_to_key(compared))
    return {
        name: {**read_back(name, known[name]), "priority": place}
        for place, name in enumerate(names, FIRST_PRIORITY)
    }


def _compared(one: str, other: str, known: Interfaces) -> int:
    """Kinds stand together; one that is unknown stands where it was, whatever the other is."""
    weights = [_weight(name, known) for name in (one, other)]
    if None in weights:
        weights = [0, 0]
    places = [
        (weight or 0) + known[name].get("priority", _NEW)
        for name, weight in zip((one, other), weights, strict=True)
    ]
    first, second = (places[0], one), (places[1], other)
    return (first > second) - (first < second)


def _weight(name: str, known: Interfaces) -> int | None:
    root, *children = re.split(r"[.:]", name)
    kind = known.get(root, {}).get("type", "unknown")
    return None if kind == "unknown" else _ORDER.get(kind, 0) + len(children)


def ports(interface: Interface) -> list[str]:
    """The interfaces that are ports or slaves of this one."""
    return [port for key in PORTS for port in split_list(str(interface.get(key, "")))]


def _listed(interface: Interface, key: str) -> list[str]:
    """Ports as the checks read them: only blanks stand between them."""
    return re.split(r"\s+", str(interface[key]).rstrip()) if interface.get(key) else []


def _check_ports_free(known: Interfaces) -> None:
    used: dict[str, str] = {}
    for name, interface in known.items():
        for port in ports(interface):
            if used.setdefault(port, name) != name:
                raise failure(f"port '{port}' is already used on interface '{used[port]}'")


def _check_bond(name: str, interface: Interface, known: Interfaces) -> None:
    slaves = _listed(interface, "slaves")
    for slave in slaves:
        found = known.get(slave, {}).get("type", "")
        if found not in ("eth", "bond"):
            raise failure(
                f"bond '{name}' - wrong interface type on slave '{slave}' "
                f"('{found}' != 'eth or bond')"
            )
        known[slave]["autostart"] = 1
        _check_mtu(known, name, slave)
    if slaves and (interface.get("bond-primary") or slaves[0]) not in slaves:
        raise failure(f"bond '{name}' - bond-primary interface is not a slave{_PLACE}")


def _check_vlan(name: str, interface: Interface, known: Interfaces) -> None:
    device, number = _tag_of(name, interface)
    if number > _LAST_VLAN:
        raise failure(f"vlan '{name}' - vlan-id {number} should be <= {_LAST_VLAN}")
    parent = known.get(device)
    if parent is None:
        raise failure(f"vlan '{name}' - unable to find parent '{device}'")
    if parent["type"] not in ("eth", "bridge", "bond", "vlan"):
        raise failure(
            f"vlan '{name}' - wrong interface type on parent '{device}' "
            f"('{parent['type']}' != 'eth|bond|bridge|vlan' )"
        )
    _check_mtu(known, device, name)


def _tag_of(name: str, interface: Interface) -> tuple[str, int]:
    """A VLAN's device and tag: what its name says counts more than what is given."""
    if tagged := TAGGED.fullmatch(name):
        return tagged[1], int(tagged[2])
    if not interface.get("vlan-raw-device"):
        raise failure(f"missing vlan-raw-device option{_PLACE}")
    if vlan := VLAN.fullmatch(name):
        return interface["vlan-raw-device"], int(vlan[1])
    if not interface.get("vlan-id"):
        raise failure(f"missing vlan-id option{_PLACE}")
    return interface["vlan-raw-device"], int(interface["vlan-id"])


def _check_bridge(name: str, interface: Interface, known: Interfaces) -> None:
    for port in _listed(interface, "bridge_ports"):
        found = known.get(port) or _tagged_port(port, known)
        if found is None:
            raise failure(f"bridge '{name}' - unable to find bridge port '{port}'")
        if _has_address(found, "", "0.0.0.0") or _has_address(found, "6", "::"):  # noqa: S104
            raise failure(
                f"iface {port} - ip address can't be set on interface if bridged in {name}"
            )
        _check_mtu({**known, port: found}, port, name)


def _tagged_port(port: str, known: Interfaces) -> Interface | None:
    """A VLAN that is only named as a port: as large as its device."""
    tagged = _PORT.search(port)
    if tagged is None:
        return None
    return {"type": "vlan", "mtu": known.get(tagged[1], {}).get("mtu")}


def _has_address(interface: Interface, version: str, none: str) -> bool:
    static = interface.get(f"method{version}") == "static"
    return static and interface.get(f"address{version}") != none


def _check_mtu(known: Interfaces, parent: str, child: str) -> None:
    """A child's frames have to fit through its parent."""
    wanted = int(known[child].get("mtu") or 0)
    default = wanted if known[parent]["type"] == "bond" else _USUAL_MTU
    room = int(known[parent].get("mtu") or default)
    if room < wanted:
        raise failure(f"interface '{parent}' - mtu {room} is lower than '{child}' - mtu {wanted}")
