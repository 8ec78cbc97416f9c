"""Virtual networks of SDN zones: bridges that are the same on all hosts of the zone."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.routes import handles
from lab.sdn.files import SUBNETS, VNETS, ZONES, Sections
from lab.sdn.lock import changing
from lab.sdn.zones import check_vnet
from lab.section_file import Section, by_name, filled, section_type
from lab.store import Store

READ = ["SDN.Audit", "SDN.Allocate"]
WRITE = ["SDN.Allocate"]
_TYPE = section_type("zone", "tag alias vlanaware isolate-ports")
_META = ("vnet", "type", "lock-token", "digest", "delete")


def require_vnet(call: Call, privileges: list[str]) -> Section:
    """The network of a call; 500 when it does not exist, 403 without one of the privileges."""
    name = call.params["vnet"]
    vnet = VNETS.find(VNETS.read(call.lab.store), name)
    call.lab.rights.require(call.user, f"/sdn/zones/{vnet['zone']}/{name}", privileges, one=True)
    return vnet


def subnets_of(store: Store, vnet: str) -> list[str]:
    """The names of a network's address ranges."""
    return [name for name, subnet in SUBNETS.read(store).items() if subnet["vnet"] == vnet]


def _given(params: dict[str, Any]) -> Section:
    return {name: value for name, value in params.items() if name not in _META}


def _shown(name: str, vnet: Section, digest: str | None) -> dict[str, Any]:
    return {**vnet, "vnet": name, "digest": digest}


def _zone_of(vnet: Section) -> str:
    return str(vnet["zone"] if "zone" in vnet else vnet["pending"]["zone"])


@handles("GET", "/cluster/sdn/vnets")
async def list_vnets(call: Call) -> Any:
    """Networks that the caller may audit or change."""
    vnets, digest = VNETS.view(call.lab.store, call.params)
    return [
        _shown(name, vnet, digest)
        for name, vnet in by_name(vnets)
        if call.lab.rights.has(call.user, f"/sdn/zones/{_zone_of(vnet)}/{name}", READ, one=True)
    ]


@handles("GET", "/cluster/sdn/vnets/{vnet}")
async def read_vnet(call: Call) -> Any:
    """One network as it is to be, as it is, or both."""
    require_vnet(call, READ)
    vnets, digest = VNETS.view(call.lab.store, call.params)
    name = call.params["vnet"]
    return _shown(name, VNETS.find(vnets, name), digest)


@handles("POST", "/cluster/sdn/vnets")
async def create_vnet(call: Call) -> Any:
    """A new network in a zone; its kind decides about the tag."""
    store, name = call.lab.store, call.params["vnet"]
    with changing(store, call.params.get("lock-token"), "create sdn vnet object failed"):
        values, vnets = _given(call.params), VNETS.read(store)
        _TYPE.check_new(values)
        if name in vnets:
            raise failure(f"sdn vnet object ID '{name}' already defined")
        _save(store, name, {"type": "vnet", **filled(values)}, vnets)


def _save(store: Store, name: str, vnet: Section, vnets: Sections) -> None:
    check_vnet(name, {**vnets, name: vnet}, ZONES.read(store))
    if vnet.get("vlanaware") and subnets_of(store, name):
        raise bad_parameter("vlanaware", "vlanaware vnet is not compatible with subnets")
    store.put(VNETS.kind, name, vnet)


@handles("PUT", "/cluster/sdn/vnets/{vnet}")
async def change_vnet(call: Call) -> Any:
    """Change and delete options of a network."""
    store, name = call.lab.store, call.params["vnet"]
    require_vnet(call, WRITE)
    with changing(store, call.params.get("lock-token"), "update sdn vnet object failed"):
        VNETS.check_digest(store, call.params.get("digest"))
        vnets, values = VNETS.read(store), _given(call.params)
        _TYPE.check_change(values)
        vnet = vnets[name]
        kept = _TYPE.without(vnet, split_list(call.params.get("delete", "")), values)
        changed = filled({**kept, **values})
        if "zone" not in changed:
            raise bad_parameter("zone", "cannot delete zone")
        if changed["zone"] != vnet["zone"] and subnets_of(store, name):
            raise bad_parameter("zone", "can't change zone if subnets exist")
        _save(store, name, changed, vnets)


@handles("DELETE", "/cluster/sdn/vnets/{vnet}")
async def delete_vnet(call: Call) -> Any:
    """Remove a network without address ranges."""
    store, name = call.lab.store, call.params["vnet"]
    require_vnet(call, WRITE)
    with changing(store, call.params.get("lock-token"), "delete sdn vnet object failed"):
        if subnets_of(store, name):
            raise bad_parameter("vnet", "Can't delete vnet if subnets exists")
        store.delete(VNETS.kind, name)
