"""SDN zones: what virtual networks are made of."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import named_format, split_list
from lab.guests.nets import mac_prefix, random_mac
from lab.routes import handles
from lab.sdn.files import CONTROLLERS, SUBNETS, VNETS, ZONES
from lab.sdn.lock import changing
from lab.sdn.zones import TYPES, check_services, check_unused, check_zone
from lab.section_file import Section, by_name, filled
from lab.sections.sdn_vnets import READ

_META = ("zone", "type", "lock-token", "digest", "delete")
_LISTS = ("nodes", "exitnodes")
_LAST_NUMBER = 2**32 - 1


@named_format("pve-sdn-bgp-rt")
def _route_target(text: str) -> None:
    numbers = text.split(":")
    fits = len(numbers) == 2 and all(n.isascii() and n.isdigit() for n in numbers)
    if not fits or any(int(n) > _LAST_NUMBER for n in numbers):
        raise ValueError("value does not look like a valid bgp route-target")


def _given(params: dict[str, Any]) -> Section:
    values = {name: value for name, value in params.items() if name not in _META}
    for name in _LISTS:
        if name in values:
            values[name] = ",".join(sorted(set(split_list(values[name]))))
    return values


def _shown(name: str, zone: Section, digest: str | None) -> dict[str, Any]:
    return {**zone, "zone": name, "digest": digest}


@handles("GET", "/cluster/sdn/zones")
async def list_zones(call: Call) -> Any:
    """Zones that the caller may audit or change, of one kind if asked for."""
    zones, digest = ZONES.view(call.lab.store, call.params)
    wanted = call.params.get("type")
    return [
        _shown(name, zone, digest)
        for name, zone in by_name(zones)
        if wanted in (None, zone["type"])
        and call.lab.rights.has(call.user, f"/sdn/zones/{name}", READ, one=True)
    ]


@handles("GET", "/cluster/sdn/zones/{zone}")
async def read_zone(call: Call) -> Any:
    """One zone as it is to be, as it is, or both."""
    zones, digest = ZONES.view(call.lab.store, call.params)
    name = call.params["zone"]
    return _shown(name, ZONES.find(zones, name), digest)


@handles("POST", "/cluster/sdn/zones")
async def create_zone(call: Call) -> Any:
    """A new zone; it is there after the next apply."""
    store, name, kind = call.lab.store, call.params["zone"], call.params["type"]
    values = _given(call.params)
    TYPES[kind].check_new(values)
    with changing(store, call.params.get("lock-token"), "create sdn zone object failed"):
        zones = ZONES.read(store)
        if name in zones:
            raise failure(f"sdn zone object ID '{name}' already defined")
        check_services(store, values)
        _save(call, {"type": kind, **filled(values)})


def _save(call: Call, zone: Section) -> None:
    store, name = call.lab.store, call.params["zone"]
    check_zone(name, zone, ZONES.read(store), CONTROLLERS.read(store))
    if zone["type"] == "evpn":
        # The address that guests see as their gateway on every host.
        zone = {"mac": random_mac(mac_prefix(call.lab)), **zone}
    store.put(ZONES.kind, name, zone)


@handles("PUT", "/cluster/sdn/zones/{zone}")
async def change_zone(call: Call) -> Any:
    """Change and delete options of a zone."""
    store, name = call.lab.store, call.params["zone"]
    with changing(store, call.params.get("lock-token"), "update sdn zone object failed"):
        ZONES.check_digest(store, call.params.get("digest"))
        zone, values = ZONES.find(ZONES.read(store), name), _given(call.params)
        kind = TYPES[zone["type"]]
        kind.check_change(values)
        kept = kind.without(zone, split_list(call.params.get("delete", "")), values)
        changed = filled({**kept, **values})
        if zone.get("ipam", "") != changed.get("ipam", ""):
            _check_no_subnets(call, name)
        check_services(store, values)
        _save(call, changed)


def _check_no_subnets(call: Call, zone: str) -> None:
    if any(name.startswith(f"{zone}-") for name in SUBNETS.read(call.lab.store)):
        text = "can't change ipam if a subnet is already defined in this zone"
        raise bad_parameter("ipam", text)


@handles("DELETE", "/cluster/sdn/zones/{zone}")
async def delete_zone(call: Call) -> Any:
    """Remove a zone without networks."""
    store, name = call.lab.store, call.params["zone"]
    with changing(store, call.params.get("lock-token"), "delete sdn zone object failed"):
        ZONES.find(ZONES.read(store), name)
        check_unused(name, VNETS.read(store))
        store.delete(ZONES.kind, name)
