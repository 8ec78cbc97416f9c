"""The cluster's own address management: which addresses of applied ranges are taken, and by whom.

A row (kind `sdn-address`, key `zone range address`) holds the MAC and the guest of an address that
somebody has given out; gateways are in the ranges themselves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.call import Call
from lab.errors import ApiError, failure
from lab.routes import handles
from lab.sdn.files import SUBNETS, VNETS, ZONES
from lab.section_file import Section, by_name
from lab.sections.sdn_vnets import READ
from lab.store import Store

KIND = "sdn-address"
_IPS = "/cluster/sdn/vnets/{vnet}/ips"
_PLACE = " at /usr/share/perl5/PVE/{} line 1."
_ONLY_PVE = "Currently only PVE IPAM is supported!" + _PLACE.format("API2/Network/SDN/Ipams.pm")
_NO_RANGE = "can't find any subnet for ip {}" + _PLACE.format("Network/SDN/Subnets.pm")


def _cidr(name: str) -> str:
    return "/".join(name.split("-")[1:3])


def _range_of(store: Store, vnet: str, address: str) -> str:
    """The applied range of a network that an address is from; 500 when there is none."""
    for name, subnet in by_name(SUBNETS.running(store)):
        network = ipaddress.ip_network(_cidr(name), strict=False)
        if subnet["vnet"] == vnet and address and ipaddress.ip_address(address) in network:
            return name
    raise failure(_NO_RANGE.format(address))


def taken(store: Store, subnet: str) -> dict[str, Section]:
    """The addresses of a range that are given out, without its gateway."""
    start = f"{subnet.partition('-')[0]} {_cidr(subnet)} "
    return {key.removeprefix(start): row for key, row in store.items(KIND) if key.startswith(start)}


def _key(subnet: str, address: str) -> str:
    return f"{subnet.partition('-')[0]} {_cidr(subnet)} {ipaddress.ip_address(address)}"


def _managed(store: Store, subnet: str) -> bool:
    """Whether the zone of a range keeps count of its addresses."""
    return bool(ZONES.read(store).get(subnet.partition("-")[0], {}).get("ipam"))


def _take(call: Call, address: str, more: Section) -> None:
    store = call.lab.store
    subnet = _range_of(store, call.params["vnet"], address)
    if not _managed(store, subnet):
        return
    gateway = SUBNETS.read(store).get(subnet, {}).get("gateway")
    if store.get(KIND, _key(subnet, address)) is not None or address == gateway:
        raise failure(f"IP '{ipaddress.ip_address(address)}' already exist")
    store.put(KIND, _key(subnet, address), more)


def _free(call: Call, address: str) -> None:
    store = call.lab.store
    subnet = _range_of(store, call.params["vnet"], address)
    if not _managed(store, subnet):
        return
    if store.get(KIND, _key(subnet, address)) is None:
        raise failure(f"IP '{ipaddress.ip_address(address)}' does not exist in IPAM DB")
    store.delete(KIND, _key(subnet, address))


@contextmanager
def _ended() -> Iterator[None]:
    """Texts that are passed on with one more end of line."""
    try:
        yield
    except ApiError as error:
        raise failure(f"{error.message}\n\n") from error


@handles("POST", _IPS)
async def give_out(call: Call) -> Any:
    """Note that somebody has an address."""
    VNETS.find(VNETS.read(call.lab.store), call.params["vnet"])
    _take(call, call.params["ip"], {"mac": call.params["mac"]})


@handles("PUT", _IPS)
async def exchange(call: Call) -> Any:
    """Another address for a card that has one."""
    params, store = call.params, call.lab.store
    VNETS.find(VNETS.read(store), params["vnet"])
    version = ipaddress.ip_address(params["ip"]).version
    old = [
        key.rpartition(" ")[2]
        for key, row in store.items(KIND)
        if row["mac"] == params["mac"]
        and ipaddress.ip_address(key.rpartition(" ")[2]).version == version
    ]
    more = {"vmid": params["vmid"]} if "vmid" in params else {}
    row = {"mac": params["mac"], **more}
    _free(call, old[0] if old else "")
    try:
        with _ended():
            _take(call, params["ip"], row)
    except ApiError:
        _take(call, old[0], row)
        raise


@handles("DELETE", _IPS)
async def take_back(call: Call) -> Any:
    """Forget who has an address."""
    VNETS.find(VNETS.read(call.lab.store), call.params["vnet"])
    with _ended():
        _free(call, call.params["ip"])


@handles("GET", "/cluster/sdn/ipams/{ipam}/status")
async def list_addresses(call: Call) -> Any:
    """Addresses that are taken, of applied ranges in zones that give addresses to guests."""
    store, rights = call.lab.store, call.lab.rights
    if call.params["ipam"] != "pve":
        raise failure(_ONLY_PVE)
    applied = SUBNETS.running(store)
    return [
        {**entry, "zone": zone, "subnet": _cidr(name), "vnet": applied[name]["vnet"]}
        for name, subnet in by_name(SUBNETS.read(store))
        if name in applied
        and _gives(store, zone := name.partition("-")[0])
        and rights.has(call.user, f"/sdn/zones/{zone}/{applied[name]['vnet']}", READ, one=True)
        for entry in _entries(store, name, subnet)
    ]


def _gives(store: Store, zone: str) -> bool:
    found = ZONES.running(store).get(zone, {})
    return found.get("ipam") == "pve" and bool(found.get("dhcp"))


def _entries(store: Store, name: str, subnet: Section) -> list[dict[str, Any]]:
    gateway = [{"gateway": 1, "ip": subnet["gateway"]}] if subnet.get("gateway") else []
    return gateway + [{"ip": ip, **row} for ip, row in taken(store, name).items()]
