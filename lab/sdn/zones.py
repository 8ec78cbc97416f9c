"""Kinds of zones: their options, and what they ask of themselves and of their networks."""

from __future__ import annotations

from collections.abc import Callable

from lab.errors import bad_parameter, bad_parameters, failure
from lab.sdn.files import Sections
from lab.section_file import Section, section_type
from lab.store import Store

_NAMES = "nodes dns reversedns dnszone ipam"
TYPES = {
    "simple": section_type("", f"{_NAMES} mtu dhcp"),
    "vlan": section_type("bridge", f"{_NAMES} mtu bridge-disable-mac-learning"),
    "qinq": section_type("bridge tag", f"{_NAMES} mtu bridge-disable-mac-learning vlan-protocol"),
    "vxlan": section_type("", f"{_NAMES} mtu peers vxlan-port fabric"),
    "evpn": section_type(
        "controller vrf-vxlan",
        f"{_NAMES} mtu mac exitnodes exitnodes-local-routing exitnodes-primary advertise-subnets "
        "disable-arp-nd-suppression bridge-disable-mac-learning rt-import vxlan-port",
    ),
    "faucet": section_type("controller dp-id", _NAMES),
}
DNS, IPAMS = "dns", "ipams"
_LAST_VLAN = 4096
_LAST_VXLAN = 16_777_216
_OVERLAYS = ("vxlan", "evpn")
_PLACE = " at /usr/share/perl5/PVE/Network/SDN/Zones/{}Plugin.pm line 1."
NO_TYPE = "cannot lookup undefined type! at /usr/share/perl5/PVE/SectionConfig.pm line 1."


def services(store: Store, name: str) -> dict[str, Section]:
    """The defined name servers or address managements; the cluster's own is always there."""
    found = dict(store.items(f"sdn-{name}"))
    return {**found, "pve": {"type": "pve"}} if name == IPAMS else found


def check_services(store: Store, zone: Section) -> None:
    """400 for name servers and address management that are not there."""
    servers = services(store, DNS)
    for key in ("dns", "reversedns"):
        if zone.get(key) and zone[key] not in servers:
            raise bad_parameter(key, f"{zone[key]} don't exist")
    if zone.get("dnszone") and not zone.get("dns"):
        raise bad_parameter("dnszone", "missing dns server")
    if zone.get("ipam") and zone["ipam"] not in services(store, IPAMS):
        raise bad_parameter("ipam", f"{zone['ipam']} not existing")


def check_zone(name: str, zone: Section, zones: Sections, controllers: Sections) -> None:
    """What the kind asks of the zone as a whole."""
    if zone["type"] == "vxlan" and bool(zone.get("peers")) == bool(zone.get("fabric")):
        text = "must have exactly one of peers / fabric defined"
        raise bad_parameters({"peers": text, "fabric": text})
    if zone["type"] == "evpn":
        _check_evpn(name, zone, zones, controllers)


def _check_evpn(name: str, zone: Section, zones: Sections, controllers: Sections) -> None:
    place, controller = _PLACE.format("Evpn"), zone.get("controller", "")
    if controller not in controllers:
        raise failure(f"controller {controller} don't exist{place}")
    if controllers[controller]["type"] != "evpn":
        raise failure(f"{controller} is not a evpn controller type{place}")
    for other, found in zones.items():
        if other != name and found.get("vrf-vxlan") == zone["vrf-vxlan"]:
            raise failure(f"vrf-vxlan {zone['vrf-vxlan']} is already declared in {other}{place}")


def check_unused(name: str, vnets: Sections) -> None:
    """500 when a network is still in the zone."""
    for vnet, found in vnets.items():
        if found["zone"] == name:
            raise failure(f"zone {name} is used by vnet {vnet}{_PLACE.format('')}")


def check_vnet(name: str, vnets: Sections, zones: Sections) -> None:
    """What the kind of its zone asks of a network; `vnets` holds it as it is to be."""
    vnet = vnets[name]
    zone = zones.get(vnet.get("zone", ""))
    if zone is None:
        raise failure(NO_TYPE)
    others = {other: found for other, found in vnets.items() if other != name}
    if check := _CHECKS.get(zone["type"]):
        check(vnet, others, zones)


def _simple(vnet: Section, _others: Sections, _zones: Sections) -> None:
    if "tag" in vnet:
        raise bad_parameter("tag", "vlan tag is not allowed on simple zone")


def _vlan(vnet: Section, others: Sections, _zones: Sections) -> None:
    tag = _required_tag(vnet, "vlan", _LAST_VLAN)
    for other, found in others.items():
        if found["zone"] == vnet["zone"] and found.get("tag") == tag:
            raise bad_parameter("tag", f"tag {tag} already exist in vnet {other}")


def _qinq(vnet: Section, others: Sections, _zones: Sections) -> None:
    tag = vnet.get("tag")
    if tag and tag > _LAST_VLAN:
        raise bad_parameter("tag", f"VLAN tag maximal value is {_LAST_VLAN}")
    for other, found in sorted(others.items()):
        if found["zone"] != vnet["zone"] or found.get("tag") != tag:
            continue
        place = f"in zone {vnet['zone']} vnet {other}"
        what = f"tag {tag} already exist" if tag else "tag-less vnet already exists"
        raise bad_parameter("tag", f"{what} {place}")


def _overlay(vnet: Section, others: Sections, zones: Sections) -> None:
    tag = _required_tag(vnet, "vxlan", _LAST_VXLAN)
    for other, found in sorted(others.items()):
        kind = (zones.get(found["zone"]) or {}).get("type")
        if kind in _OVERLAYS and found.get("tag") == tag:
            where = f"in vnet {other} in zone {found['zone']} "
            raise bad_parameter("tag", f"vxlan tag {tag} already exist {where}")


def _evpn(vnet: Section, others: Sections, zones: Sections) -> None:
    _required_tag(vnet, "vxlan", _LAST_VXLAN)
    if vnet.get("vlanaware"):
        raise bad_parameter("vlan-aware", "vlan-aware option can't be enabled with evpn")
    _overlay(vnet, others, zones)


def _required_tag(vnet: Section, noun: str, last: int) -> int:
    if "tag" not in vnet:
        raise bad_parameter("tag", f"missing {noun} tag")
    tag: int = vnet["tag"]
    if tag > last:
        raise bad_parameter("tag", f"{noun} tag max value is {last}")
    return tag


_CHECKS: dict[str, Callable[[Section, Sections, Sections], None]] = {
    "simple": _simple,
    "vlan": _vlan,
    "qinq": _qinq,
    "vxlan": _overlay,
    "evpn": _evpn,
}
