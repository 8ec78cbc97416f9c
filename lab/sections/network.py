"""Interfaces of a host: what is configured, what is applied, and the step between them.

A row (kind `iface`, key `host/name`) holds `config`, the interface as it is to be, and `applied`,
as it is; either may be None. `PUT .../network` applies, `DELETE .../network` takes back.
"""

from __future__ import annotations

import difflib
import ipaddress
from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.routes import handles
from lab.sdn.files import reloaded
from lab.sdn.status import local_vnets
from lab.sections.interfaces import PORTS, Interface, Interfaces, arranged, ports, rendered
from lab.store import Store
from lab.tasks import TaskLog

BRIDGES = ("bridge", "OVSBridge")
_GATEWAYS = {"gateway": "Default gateway", "gateway6": "Default ipv6 gateway"}
_SHOWN_DEFAULTS = {
    "bridge": {"bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0"},
}
_NUMBERS = ("autostart", "bridge_vlan_aware")
_WITH_VNETS = ("any_bridge", "include_sdn", "vnet")
_PREFIX = {"any_bridge": BRIDGES, "any_local_bridge": BRIDGES}


def configured(store: Store, node: str) -> Interfaces:
    """All interfaces of a host as they are to be, by name."""
    return _rows(store, node, "config")


def applied(store: Store, node: str) -> Interfaces:
    """All interfaces of a host as they are."""
    return _rows(store, node, "applied")


def _rows(store: Store, node: str, state: str) -> Interfaces:
    start = f"{node}/"
    return {
        key.removeprefix(start): row[state]
        for key, row in store.items("iface")
        if key.startswith(start) and row[state] is not None
    }


def _save(store: Store, node: str, interfaces: Interfaces) -> None:
    """Write the wanted interfaces in the order of the file, and forget those in neither state."""
    now = applied(store, node)
    wanted = arranged(interfaces)
    for name in configured(store, node).keys() | wanted.keys():
        row = {"config": wanted.get(name), "applied": now.get(name)}
        if row["config"] is None and row["applied"] is None:
            store.delete("iface", f"{node}/{name}")
        elif row != store.get("iface", f"{node}/{name}"):
            store.put("iface", f"{node}/{name}", row)


def _shown(name: str, interface: Interface, now: Interfaces) -> dict[str, Any]:
    shown: dict[str, Any] = {"method": "manual", "method6": "manual", "families": ["inet"]}
    shown |= _SHOWN_DEFAULTS.get(interface["type"], {}) | interface
    if name in now:
        shown["active"] = 1
    if interface["type"] == "vlan":
        # Only a VLAN on a physical card that the kernel lists has a value here.
        shown["exists"] = None
    for version in ("", "6"):
        if f"address{version}" in shown:
            bits = shown[f"netmask{version}"]
            shown[f"cidr{version}"] = f"{shown[f'address{version}']}/{bits}"
    if shown.get("address6"):
        shown["families"] = ["inet", "inet6"] if shown.get("address") else ["inet6"]
    return shown


@handles("GET", "/nodes/{node}/network")
async def list_interfaces(call: Call) -> Any:
    """Interfaces as they are to be; `changes` is the difference to what is applied."""
    node, kind = call.params["node"], call.params.get("type")
    wanted, now = configured(call.lab.store, node), applied(call.lab.store, node)
    if changes := _difference(now, wanted):
        call.extra["changes"] = changes
    vnets = local_vnets(call) if kind in _WITH_VNETS else []
    return [*shown_interfaces(call, kind), *vnets]


def shown_interfaces(call: Call, kind: str | None) -> list[dict[str, Any]]:
    """Interfaces of a host that the caller may see, of one kind if asked for."""
    node = call.params["node"]
    wanted, now = configured(call.lab.store, node), applied(call.lab.store, node)
    kinds = _PREFIX.get(kind or "", (kind,))
    return [
        {"iface": name, **_shown(name, interface, now)}
        for name, interface in wanted.items()
        if (kind in (None, "include_sdn") or interface["type"] in kinds)
        and _visible(call, name, interface)
    ]


def _visible(call: Call, name: str, interface: Interface) -> bool:
    """A bridge is shown to those who may use it; everything else to everybody."""
    if interface["type"] not in BRIDGES:
        return True
    path = f"/sdn/zones/localnetwork/{name}"
    names = ["SDN.Audit", "SDN.Use"]
    return call.lab.rights.has(call.user, path, names, one=True)


def _difference(now: Interfaces, wanted: Interfaces) -> str:
    before, after = rendered(now), rendered(wanted)
    if before == after:
        return ""
    names = ("/etc/network/interfaces", "/etc/network/interfaces.new")
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm="")) + "\n"


@handles("GET", "/nodes/{node}/network/{iface}")
async def read_interface(call: Call) -> Any:
    """One interface as it is to be."""
    node, name = call.params["node"], call.params["iface"]
    found = configured(call.lab.store, node).get(name)
    if found is None:
        raise bad_parameter("iface", "interface does not exist")
    return _shown(name, found, applied(call.lab.store, node))


def _values(call: Call) -> dict[str, Any]:
    """The parameters as the file has them: texts, addresses split from their prefix length."""
    values = {
        name: value if name in _NUMBERS else str(value)
        for name, value in call.params.items()
        if name not in ("node", "iface", "delete", "cidr", "cidr6", "netmask")
    }
    for version in ("", "6"):
        if (cidr := call.params.get(f"cidr{version}")) is not None:
            for name in (f"address{version}", f"netmask{version}"):
                if values.get(name) or call.params.get(name):
                    raise bad_parameter(name, f"{name} conflicts with cidr{version}")
            address, _, bits = cidr.partition("/")
            values |= {f"address{version}": address, f"netmask{version}": bits}
    if "netmask" in call.params:
        mask = int(ipaddress.IPv4Address(call.params["netmask"]))
        values["netmask"] = str(mask.bit_count())
    _check_address6(values.get("address6"))
    for name in ("comments", "comments6"):
        if values.get(name) and not values[name].endswith("\n"):
            values[name] += "\n"
    for name in (*PORTS, "bridge_vids"):
        if name in values:
            values[name] = " ".join(split_list(values[name]))
    return values


def _check_address6(text: str | None) -> None:
    """Only an address that one host may have."""
    if text is None:
        return
    address = ipaddress.IPv6Address(text)
    kinds = {
        "MULTICAST": address.is_multicast,
        "LOOPBACK": address.is_loopback,
        "UNSPECIFIED": address.is_unspecified,
    }
    if kind := next((kind for kind, fits in kinds.items() if fits), None):
        fault = f"{text} with type '{kind}', cannot be used as host IPv6 address."
        raise bad_parameter("address", fault)


def _with_methods(values: dict[str, Any]) -> dict[str, Any]:
    """How the interface gets its addresses follows from the addresses in this very call."""
    return {
        **values,
        "method": "static" if "address" in values else "manual",
        "method6": "static" if "address6" in values else "manual",
    }


def _check_others(call: Call, interfaces: Interfaces, values: dict[str, Any]) -> None:
    """One default gateway a host, and one master a port."""
    others = {k: v for k, v in interfaces.items() if k != call.params["iface"]}
    for name, words in _GATEWAYS.items():
        for other, interface in others.items():
            if values.get(name) and interface.get(name):
                raise bad_parameter(name, f"{words} already exists on interface '{other}'.")
    wanted = next((key for key in PORTS if values.get(key)), "")
    for other, interface in others.items():
        for port in ports(interface):
            if port in ports(values):
                raise bad_parameter(wanted, f"{port} is already used on interface '{other}'.")


@handles("POST", "/nodes/{node}/network")
async def create_interface(call: Call) -> Any:
    """Add an interface to the configuration; it is there after the next reload."""
    node, name = call.params["node"], call.params["iface"]
    interfaces = configured(call.lab.store, node)
    if name in interfaces:
        raise bad_parameter("iface", "interface already exists")
    values = _values(call)
    _check_others(call, interfaces, values)
    if values["type"].startswith("OVS"):
        raise failure("Open VSwitch is not installed (need package 'openvswitch-switch')")
    _save(call.lab.store, node, {**interfaces, name: _with_methods(values)})


@handles("PUT", "/nodes/{node}/network/{iface}")
async def change_interface(call: Call) -> Any:
    """Change an interface in the configuration."""
    node, name = call.params["node"], call.params["iface"]
    interfaces = configured(call.lab.store, node)
    found = interfaces.get(name)
    if found is None:
        raise bad_parameter("iface", "interface does not exist")
    values = _values(call)
    _check_others(call, interfaces, values)
    gone = _gone(call)
    kept = {key: value for key, value in found.items() if key not in gone}
    _save(call.lab.store, node, {**interfaces, name: {**kept, **_with_methods(values)}})


def _gone(call: Call) -> set[str]:
    names = set(split_list(call.params.get("delete", "")))
    for version in ("", "6"):
        if f"cidr{version}" in names:
            names |= {f"address{version}", f"netmask{version}"}
    return names


@handles("DELETE", "/nodes/{node}/network/{iface}")
async def delete_interface(call: Call) -> Any:
    """Take an interface out of the configuration."""
    node, name = call.params["node"], call.params["iface"]
    interfaces = configured(call.lab.store, node)
    if name not in interfaces:
        raise bad_parameter("iface", "interface does not exist")
    del interfaces[name]
    _save(call.lab.store, node, interfaces)


@handles("DELETE", "/nodes/{node}/network")
async def revert(call: Call) -> Any:
    """Forget all changes that are not applied."""
    _save(call.lab.store, call.params["node"], applied(call.lab.store, call.params["node"]))


@handles("PUT", "/nodes/{node}/network")
async def reload(call: Call) -> Any:
    """Apply the configuration, as a task."""
    return await reload_task(call, call.params["node"])


async def reload_task(call: Call, node: str) -> str:
    """The task that gives a host the interfaces it is to have, virtual networks included."""
    store = call.lab.store

    async def work(_log: TaskLog) -> None:
        for name, interface in configured(store, node).items():
            row = {"config": interface, "applied": interface}
            if row != store.get("iface", f"{node}/{name}"):
                store.put("iface", f"{node}/{name}", row)
        for name in applied(store, node).keys() - configured(store, node).keys():
            store.delete("iface", f"{node}/{name}")
        reloaded(store, node)

    return await call.lab.tasks.start(call, node, "srvreload", "networking", work)
