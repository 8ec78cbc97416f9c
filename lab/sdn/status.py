"""What a host shows of the applied networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.sdn.files import HOST, VNETS, ZONES, on_node, version
from lab.section_file import by_name
from lab.store import Store

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.call import Call

_MISSING = "local sdn network configuration is not yet generated, please reload"
_OLD = "local sdn network configuration is too old, please reload"
_NEEDS_BRIDGE = ("vlan", "qinq")


def zone_status(store: Store, node: str) -> dict[str, dict[str, Any]]:
    """The zones of a host by name: `status` (available, pending, error) and `zone-type`."""
    wrong = _behind(store, node)
    found: dict[str, dict[str, Any]] = {}
    for name, zone in by_name(ZONES.running(store)):
        if on_node(zone, node):
            status = "pending" if wrong else "available"
            found[name] = {"status": status, "zone-type": zone["type"]}
    for vnet in vnet_status(store, node).values():
        if vnet["status"] == "error" and vnet["zone"] in found:
            found[vnet["zone"]]["status"] = "error"
    return found


def vnet_status(store: Store, node: str) -> dict[str, dict[str, Any]]:
    """The virtual networks of a host by name: `zone`, `status` and, when something is wrong,
    `statusmsg`."""
    wrong, zones = _behind(store, node), ZONES.running(store)
    found: dict[str, dict[str, Any]] = {}
    for name, vnet in by_name(VNETS.running(store)):
        zone = zones.get(vnet["zone"])
        row: dict[str, Any] = {"zone": vnet["zone"], "status": "available", "statusmsg": None}
        if zone is None:
            unknown = f"unknown zone '{vnet['zone']}' configured"
            row |= {"status": "error", "statusmsg": unknown}
        elif not on_node(zone, node):
            continue
        elif wrong:
            row |= {"status": "pending", "statusmsg": wrong}
        elif text := _missing_bridge(store, node, zone):
            row |= {"status": "error", "statusmsg": text}
        found[name] = row
    return found


def _behind(store: Store, node: str) -> str | None:
    """Why a host does not have the applied state yet, or None."""
    if not version(store):
        return None
    own = store.get(HOST, node)
    if own is None:
        return _MISSING
    return _OLD if own["version"] < version(store) else None


def _missing_bridge(store: Store, node: str, zone: dict[str, Any]) -> str | None:
    if zone["type"] not in _NEEDS_BRIDGE:
        return None
    row = store.get("iface", f"{node}/{zone['bridge']}")
    there = row is not None and row["applied"] is not None
    return None if there else f"missing {zone['bridge']}"


def network_rows(lab: Lab) -> list[dict[str, Any]]:
    """What `cluster/resources` tells: on every host its own bridges as a zone, and the applied
    zones."""
    names = [node["name"] for node in lab.nodes()]
    rows = [_network_row(node, "localnetwork", {"status": "ok"}) for node in names]
    if version(lab.store):
        for node in names:
            found = zone_status(lab.store, node)
            rows += [_network_row(node, name, row) for name, row in found.items()]
    return rows


def _network_row(node: str, name: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"network/{node}/zone/{name}",
        "type": "network",
        "network-type": "zone",
        "network": name,
        "node": node,
        **more,
    }


def local_vnets(call: Call) -> list[dict[str, Any]]:
    """The applied networks of a host as rows of its interfaces, those that the caller may use."""
    store, node = call.lab.store, call.params["node"]
    zones = ZONES.running(store)
    return [
        {
            "iface": name,
            "type": "vnet",
            "active": "1",
            "ipam": int(bool(zones[vnet["zone"]].get("ipam"))),
            "vlanaware": int(bool(vnet.get("vlanaware"))),
            "comments": vnet.get("alias"),
        }
        for name, vnet in by_name(VNETS.running(store))
        if vnet["zone"] in zones
        and on_node(zones[vnet["zone"]], node)
        and call.lab.rights.has(
            call.user, f"/sdn/zones/{vnet['zone']}/{name}", ["SDN.Audit", "SDN.Use"], one=True
        )
    ]
