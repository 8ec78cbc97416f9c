"""Address ranges of virtual networks: gateway, source NAT, ranges for DHCP."""

from __future__ import annotations

import ipaddress
from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import named_format, parse_property_string, split_list
from lab.named_formats import is_cidr4, is_cidr6, is_ip, is_ipv4
from lab.routes import handles
from lab.sdn.files import SUBNETS, VNETS, ZONES
from lab.sdn.lock import changing
from lab.section_file import Section, by_name, filled, section_type
from lab.sections.sdn_addresses import taken
from lab.sections.sdn_vnets import READ, WRITE, require_vnet

_TYPE = section_type("vnet", "gateway snat dnszoneprefix dhcp-range dhcp-dns-server")
_META = ("subnet", "type", "lock-token", "digest", "delete")
_RANGE = "pve-sdn-dhcp-range"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@named_format("pve-sdn-subnet-id")
def _subnet_id(text: str) -> None:
    cidr = text if "/" in text else "/".join([*text.split("-"), "", ""][1:3])
    if not (is_cidr4(cidr) or is_cidr6(cidr)):
        raise ValueError("value does not look like a valid CIDR network")


def computed(name: str) -> Section:
    """What the name of a range says: zone, network, prefix length."""
    zone, network, mask = [*name.split("-"), "", ""][:3]
    cidr = f"{network}/{mask}"
    return {"id": name, "zone": zone, "network": network, "mask": mask, "cidr": cidr}


def _ranges(subnet: Section) -> list[dict[str, Any]]:
    return [parse_property_string(_RANGE, text) for text in subnet.get("dhcp-range", ())]


def _shown(name: str, subnet: Section, digest: str | None) -> dict[str, Any]:
    own = {"subnet": name, "dhcp-range": _ranges(subnet), "digest": digest}
    return {**subnet, **computed(name), **own}


@handles("GET", "/cluster/sdn/vnets/{vnet}/subnets")
async def list_subnets(call: Call) -> Any:
    """The ranges of a network."""
    require_vnet(call, READ)
    subnets, digest = SUBNETS.view(call.lab.store, call.params)
    return [
        _shown(name, subnet, digest)
        for name, subnet in by_name(subnets)
        if subnet.get("vnet") == call.params["vnet"]
    ]


@handles("GET", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
async def read_subnet(call: Call) -> Any:
    """One range as it is to be, as it is, or both."""
    require_vnet(call, READ)
    subnets, digest = SUBNETS.view(call.lab.store, call.params)
    name = call.params["subnet"]
    subnet = SUBNETS.find(subnets, name)
    if subnet["vnet"] != call.params["vnet"]:
        raise bad_parameter("vnet", "wrong vnet")
    return _shown(name, subnet, digest)


def _given(params: dict[str, Any]) -> Section:
    return {name: value for name, value in params.items() if name not in _META}


@handles("POST", "/cluster/sdn/vnets/{vnet}/subnets")
async def create_subnet(call: Call) -> Any:
    """A new range; its name is made from the zone and the range."""
    store, vnet = call.lab.store, require_vnet(call, WRITE)
    with changing(store, call.params.get("lock-token"), "create sdn subnet object failed"):
        name = f"{vnet['zone']}-{call.params['subnet'].replace('/', '-', 1)}"
        values = _given(call.params)
        _TYPE.check_new(values)
        if name in SUBNETS.read(store):
            raise failure(f"sdn subnet object ID '{name}' already defined")
        _save(call, name, {"type": "subnet", **filled(values)})


def _save(call: Call, name: str, subnet: Section) -> None:
    store = call.lab.store
    vnet = VNETS.read(store).get(subnet["vnet"])
    if vnet is None:
        raise bad_parameter("vnet", f"{subnet['vnet']} don't exist")
    if vnet.get("vlanaware"):
        raise bad_parameter("vnet", "you can't add a subnet on a vlanaware vnet")
    cidr = computed(name)["cidr"]
    network = ipaddress.ip_network(cidr, strict=False)
    if gateway := subnet.get("gateway"):
        single = is_ipv4(gateway) and network.prefixlen == 32
        if not (single or _inside(gateway, network)):
            raise bad_parameter("gateway", f"{gateway} is not in subnet {cidr}")
    _check_ranges(subnet, cidr, network)
    store.put(SUBNETS.kind, name, subnet)


def _inside(address: str, network: Network) -> bool:
    return ipaddress.ip_address(address) in network


def _check_ranges(subnet: Section, cidr: str, network: Network) -> None:
    known: list[tuple[Address, Address]] = []
    for found in _ranges(subnet):
        for key in ("start-address", "end-address"):
            if not is_ip(found[key]):
                raise bad_parameter("dhcp-range", f"{key} is not a valid IP {found[key]}")
        first, last = (ipaddress.ip_address(found[f"{end}-address"]) for end in ("start", "end"))
        if first.version == last.version and int(first) > int(last):
            text = f"start-address {first} must be smaller than end-address {last}"
            raise bad_parameter("dhcp-range", text)
        for key, address in (("start-address", first), ("end-address", last)):
            if address not in network:
                raise bad_parameter("dhcp-range", f"{key} {address} is not in subnet {cidr}")
        if any(int(first) <= int(end) and int(begin) <= int(last) for begin, end in known):
            raise bad_parameter("dhcp-range", "dhcp ranges must not overlap")
        known.append((first, last))


@handles("PUT", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
async def change_subnet(call: Call) -> Any:
    """Change and delete options of a range."""
    store, name = call.lab.store, call.params["subnet"]
    require_vnet(call, WRITE)
    with changing(store, call.params.get("lock-token"), "update sdn subnet object failed"):
        subnet = SUBNETS.find(SUBNETS.read(store), name)
        SUBNETS.check_digest(store, call.params.get("digest"))
        values = _given(call.params)
        _TYPE.check_change(values)
        kept = _TYPE.without(subnet, split_list(call.params.get("delete", "")), values)
        _save(call, name, filled({**kept, **values}))


@handles("DELETE", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
async def delete_subnet(call: Call) -> Any:
    """Remove a range; one that is not there is an error only to the address management."""
    store, name, vnet = call.lab.store, call.params["subnet"], require_vnet(call, WRITE)
    with changing(store, call.params.get("lock-token"), "delete sdn subnet object failed"):
        zone = ZONES.read(store).get(vnet["zone"], {})
        if zone.get("ipam") and name not in SUBNETS.read(store):
            raise failure("zone '' doesn't exist in IPAM DB")
        if zone.get("ipam") and taken(store, name):
            raise failure(f"cannot delete subnet '{computed(name)['cidr']}', not empty")
        store.delete(SUBNETS.kind, name)
