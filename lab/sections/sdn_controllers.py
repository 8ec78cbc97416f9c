"""SDN controllers: the routing that EVPN zones and hosts share with the network outside."""

from __future__ import annotations

import re
from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.formats import named_format, split_list
from lab.routes import handles
from lab.sdn.files import CONTROLLERS, ZONES, Sections
from lab.sdn.lock import changing
from lab.section_file import Section, by_name, filled, section_type
from lab.sections.sdn_vnets import READ

TYPES = {
    "bgp": section_type(
        "node asn peers", "bgp-multipath-as-path-relax ebgp ebgp-multihop loopback"
    ),
    "evpn": section_type("asn", "peers fabric"),
    "faucet": section_type(),
    "isis": section_type("isis-domain isis-net isis-ifaces node", "loopback"),
}
_META = ("controller", "type", "lock-token", "digest", "delete")
_ISIS_NET = re.compile(r"[a-fA-F0-9]{2}(\.[a-fA-F0-9]{4}){3,9}\.[a-fA-F0-9]{2}")
_PLACE = " at /usr/share/perl5/PVE/Network/SDN/Controllers/{}Plugin.pm line 1."
_USED_BY = ("evpn", "bgp")


@named_format("pve-sdn-isis-net")
def _isis_net(text: str) -> None:
    if not _ISIS_NET.fullmatch(text):
        raise ValueError("value does not look like a valid isis net")


def _given(params: dict[str, Any]) -> Section:
    return {name: value for name, value in params.items() if name not in _META}


def _shown(name: str, controller: Section, digest: str | None) -> dict[str, Any]:
    return {**controller, "controller": name, "digest": digest}


@handles("GET", "/cluster/sdn/controllers")
async def list_controllers(call: Call) -> Any:
    """Controllers that the caller may audit or change, of one kind if asked for."""
    controllers, digest = CONTROLLERS.view(call.lab.store, call.params)
    wanted, rights = call.params.get("type"), call.lab.rights
    return [
        _shown(name, controller, digest)
        for name, controller in by_name(controllers)
        if wanted in (None, controller["type"])
        and rights.has(call.user, f"/sdn/controllers/{name}", READ, one=True)
    ]


@handles("GET", "/cluster/sdn/controllers/{controller}")
async def read_controller(call: Call) -> Any:
    """One controller as it is to be, as it is, or both."""
    controllers, digest = CONTROLLERS.view(call.lab.store, call.params)
    name = call.params["controller"]
    return _shown(name, CONTROLLERS.find(controllers, name), digest)


@handles("POST", "/cluster/sdn/controllers")
async def create_controller(call: Call) -> Any:
    """A new controller."""
    store, name, kind = call.lab.store, call.params["controller"], call.params["type"]
    values = _given(call.params)
    TYPES[kind].check_new(values)
    with changing(store, call.params.get("lock-token"), "create sdn controller object failed"):
        controllers = CONTROLLERS.read(store)
        if name in controllers:
            raise failure(f"sdn controller object ID '{name}' already defined")
        _save(call, {"type": kind, **filled(values)}, controllers)


def _save(call: Call, controller: Section, controllers: Sections) -> None:
    name = call.params["controller"]
    others = [found for other, found in controllers.items() if other != name]
    if controller["type"] == "evpn":
        _check_evpn(controller, others)
    elif controller["type"] in ("bgp", "isis"):
        _check_local(call, controller["type"], others)
    call.lab.store.put(CONTROLLERS.kind, name, controller)


def _check_evpn(controller: Section, others: list[Section]) -> None:
    place = _PLACE.format("Evpn")
    if any(other["type"] == "evpn" for other in others):
        raise failure(f"only 1 global evpn controller can be defined{place}")
    if bool(controller.get("peers")) == bool(controller.get("fabric")):
        raise failure(f"must have exactly one of peers / fabric defined{place}")


def _check_local(call: Call, kind: str, others: list[Section]) -> None:
    """The host that answers looks only at controllers on itself, and lets a second one pass."""
    local = call.lab.local
    if sum(other["type"] == kind and other["node"] == local for other in others) > 1:
        what = "bgp" if kind == "bgp" else "bgp or isis"
        raise failure(f"only 1 {what} controller can be defined{_PLACE.format(kind.capitalize())}")


@handles("PUT", "/cluster/sdn/controllers/{controller}")
async def change_controller(call: Call) -> Any:
    """Change and delete options of a controller."""
    store, name = call.lab.store, call.params["controller"]
    with changing(store, call.params.get("lock-token"), "update sdn controller object failed"):
        CONTROLLERS.check_digest(store, call.params.get("digest"))
        controllers, values = CONTROLLERS.read(store), _given(call.params)
        controller = CONTROLLERS.find(controllers, name)
        kind = TYPES[controller["type"]]
        kind.check_change(values)
        kept = kind.without(controller, split_list(call.params.get("delete", "")), values)
        _save(call, filled({**kept, **values}), controllers)


@handles("DELETE", "/cluster/sdn/controllers/{controller}")
async def delete_controller(call: Call) -> Any:
    """Remove a controller that no zone uses."""
    store, name = call.lab.store, call.params["controller"]
    with changing(store, call.params.get("lock-token"), "delete sdn controller object failed"):
        controller = CONTROLLERS.find(CONTROLLERS.read(store), name)
        for zone, found in ZONES.read(store).items():
            if controller["type"] in _USED_BY and found.get("controller") == name:
                place = _PLACE.format(controller["type"].capitalize())
                raise failure(f"controller {name} is used by {zone}{place}")
        store.delete(CONTROLLERS.kind, name)
