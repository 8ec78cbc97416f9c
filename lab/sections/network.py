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
from lab.sections.host_addresses import check_host_address
from lab.sections.interface_file import PORTS, Interface, Interfaces, families, rendered
from lab.sections.interfaces import arranged, ports
from lab.store import Store
from lab.tasks import TaskLog

BRIDGES = ("bridge", "OVSBridge")
_GATEWAYS = {"gateway": "Default gateway", "gateway6": "Default ipv6 gateway"}
_SHOWN_DEFAULTS = {
    "bridge": {"bridge_ports": "", "bridge_stp": "off", "bridge_fd": "0"},
}
_FLAGS = ("autostart", "bridge_vlan_aware")
_HANGING = ("vlan", "alias")
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


def _shown(name: str, interface: Interface, wanted: Interfaces, now: Interfaces) -> dict[str, Any]:
    shown: dict[str, Any] = {"method": "manual", "method6": "manual"}
    shown |= _SHOWN_DEFAULTS.get(interface["type"], {}) | interface
    shown["families"] = families(interface)
    if name in now:
        shown["active"] = 1
    if interface["type"] in _HANGING:
        # Of these only one on a card that the kernel lists has a value here; 0: it hangs on none.
        parent = shown.get("vlan-raw-device") or name.rpartition(":")[0]
        shown["exists"] = None if parent in wanted else 0
    for version, bits in (("", "32"), ("6", "128")):
        if address := shown.get(f"address{version}"):
            shown[f"cidr{version}"] = f"{address}/{shown.get(f'netmask{version}', bits)}"
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
        {"iface": name, **_shown(name, interface, wanted, now)}
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
    wanted = configured(call.lab.store, node)
    if name not in wanted:
        raise bad_parameter("iface", "interface does not exist")
    return _shown(name, wanted[name], wanted, applied(call.lab.store, node))


def _given(call: Call) -> dict[str, Any]:
    """The options of a call, numbers as texts but for flags."""
    return {
        name: value if name in _FLAGS else str(value)
        for name, value in call.params.items()
        if name not in ("node", "iface", "delete")
    }


def _split_addresses(values: dict[str, Any]) -> None:
    """Address and length of what is given as one; a mask as its length."""
    for version in ("", "6"):
        if not values.get(f"cidr{version}"):
            continue
        for name in (f"address{version}", f"netmask{version}"):
            if values.get(name):
                raise bad_parameter(name, f"{name} conflicts with cidr{version}")
        address, _, bits = values.pop(f"cidr{version}").partition("/")
        values |= {f"address{version}": address, f"netmask{version}": bits}
    if "." in values.get("netmask", ""):
        values["netmask"] = str(int(ipaddress.IPv4Address(values["netmask"])).bit_count())


def _with_methods(values: dict[str, Any]) -> dict[str, Any]:
    """How the interface gets its addresses follows from the addresses in this very call; so does
    which of them the file has a part for."""
    present = [kind for kind in ("inet", "inet6") if values.get(f"address{kind[4:]}")]
    return {
        **values,
        "families": present or ["inet"],
        "method": "static" if "inet" in present else "manual",
        "method6": "static" if "inet6" in present else "manual",
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


def _check_tags(values: dict[str, Any]) -> None:
    if values.get("bridge_vids") and not split_list(values["bridge_vids"]):
        raise bad_parameter("bridge_vids", "VLAN list items are empty")


@handles("POST", "/nodes/{node}/network")
async def create_interface(call: Call) -> Any:
    """Add an interface to the configuration; it is there after the next reload."""
    node, name = call.params["node"], call.params["iface"]
    interfaces = configured(call.lab.store, node)
    if name in interfaces:
        raise bad_parameter("iface", "interface already exists")
    values = _given(call)
    _check_others(call, interfaces, values)
    _split_addresses(values)
    check_host_address(values)
    if values["type"].startswith("OVS"):
        raise failure("Open VSwitch is not installed (need package 'openvswitch-switch')")
    _check_tags(values)
    if "bridge_vids" in values:
        values["bridge_vids"] = " ".join(split_list(values["bridge_vids"]))
    _save(call.lab.store, node, {**interfaces, name: _with_methods(values)})


@handles("PUT", "/nodes/{node}/network/{iface}")
async def change_interface(call: Call) -> Any:
    """Change an interface in the configuration."""
    node, name = call.params["node"], call.params["iface"]
    interfaces = configured(call.lab.store, node)
    if name not in interfaces:
        raise bad_parameter("iface", "interface does not exist")
    kept = _without(interfaces[name], split_list(call.params.get("delete", "")))
    values = _given(call)
    _split_addresses(values)
    _check_others(call, interfaces, values)
    check_host_address(values)
    _check_tags(values)
    _save(call.lab.store, node, {**interfaces, name: {**kept, **_with_methods(values)}})


def _without(interface: Interface, gone: list[str]) -> Interface:
    """An interface without some options: an address goes by `cidr` only, since it is kept twice."""
    names = set(gone) - {"address", "address6"}
    for version in ("", "6"):
        if f"cidr{version}" in names:
            names |= {f"address{version}", f"netmask{version}"}
    return {key: value for key, value in interface.items() if key not in names}


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
    node, store = call.params["node"], call.lab.store
    now = applied(store, node)
    for name in configured(store, node).keys() | now.keys():
        if name in now:
            store.put("iface", f"{node}/{name}", {"config": now[name], "applied": now[name]})
        else:
            store.delete("iface", f"{node}/{name}")


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
