"""SDN fabrics: hosts that route to each other, and through which of their interfaces."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from lab.call import Call
from lab.digest import CHANGED, digest_of
from lab.errors import failure
from lab.formats import named_format
from lab.routes import handles
from lab.sdn.files import CONTROLLERS, FABRIC_NODES, FABRICS, ZONES
from lab.sdn.lock import changing
from lab.section_file import Section, by_name
from lab.sections.sdn_vnets import READ
from lab.store import Store

_BASE = "/cluster/sdn/fabrics"
_FABRIC = f"{_BASE}/fabric/{{id}}"
_NODE = f"{_BASE}/node/{{fabric_id}}/{{node_id}}"
_KEPT = (
    *("id", "protocol", "area", "csnp_interval", "hello_interval", "ip_prefix", "ip6_prefix"),
    *("fabric_id", "node_id", "interfaces", "ip", "ip6"),
)
_HOST = ["Sys.Audit", "Sys.Modify"]
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,6}[a-z0-9]?", re.IGNORECASE | re.ASCII)


@named_format("pve-sdn-fabric-id")
def _fabric_id(text: str) -> None:
    if not _ID.fullmatch(text):
        raise ValueError(f"Fabric ID '{text}' contains illegal characters")


def _digest(store: Store) -> str:
    """Fabrics and their hosts are in one file."""
    return digest_of([FABRICS.read(store), FABRIC_NODES.read(store)])


def _check_digest(call: Call) -> None:
    if call.params.get("digest", _digest(call.lab.store)) != _digest(call.lab.store):
        raise failure(CHANGED)


def _given(params: dict[str, Any]) -> Section:
    return {name: value for name, value in params.items() if name in _KEPT}


def _fabric(store: Store, name: str) -> Section:
    found = FABRICS.read(store).get(name)
    if found is None:
        raise failure(f"fabric '{name}' does not exist in configuration")
    return found


def _rows(call: Call) -> list[dict[str, Any]]:
    fabrics, digest = FABRICS.view(call.lab.store, call.params)
    own = {"digest": _digest(call.lab.store)} if digest or call.params.get("pending") else {}
    return [
        {**fabric, **own}
        for name, fabric in by_name(fabrics)
        if call.lab.rights.has(call.user, f"/sdn/fabrics/{name}", READ, one=True)
    ]


def _host_rows(call: Call, fabric: str | None = None) -> list[dict[str, Any]]:
    nodes, digest = FABRIC_NODES.view(call.lab.store, call.params)
    own = {"digest": _digest(call.lab.store)} if digest or call.params.get("pending") else {}
    rights = call.lab.rights
    return [
        {**node, **own}
        for name, node in by_name(nodes)
        if fabric in (None, name.partition("/")[0])
        and rights.has(call.user, f"/sdn/fabrics/{name.partition('/')[0]}", READ, one=True)
        and rights.has(call.user, f"/nodes/{name.partition('/')[2]}", _HOST, one=True)
    ]


@handles("GET", f"{_BASE}/all")
async def list_all(call: Call) -> Any:
    """Fabrics and hosts in one answer."""
    return {"fabrics": _rows(call), "nodes": _host_rows(call)}


@handles("GET", f"{_BASE}/fabric")
async def list_fabrics(call: Call) -> Any:
    """Fabrics that the caller may audit or change."""
    return _rows(call)


@handles("GET", _FABRIC)
async def read_fabric(call: Call) -> Any:
    """One fabric as it is to be."""
    store = call.lab.store
    return {**_fabric(store, call.params["id"]), "digest": _digest(store)}


@handles("POST", f"{_BASE}/fabric")
async def create_fabric(call: Call) -> Any:
    """A new fabric without hosts."""
    store, name = call.lab.store, call.params["id"]
    with changing(store, call.params.get("lock-token"), "adding fabric failed"):
        _check_digest(call)
        if name in FABRICS.read(store):
            raise failure(f"fabric '{name}' already exists in config")
        _save_fabric(store, _given(call.params))


def _save_fabric(store: Store, fabric: Section) -> None:
    name = fabric["id"]
    if not any(fabric.get(key) for key in ("ip_prefix", "ip6_prefix")):
        raise failure(f"fabric '{name}' does not have any IP prefix configured")
    for other, found in FABRICS.read(store).items():
        for key, kind in (("ip_prefix", "IPv4"), ("ip6_prefix", "IPv6")):
            if other != name and key in fabric and key in found:
                _check_apart(fabric[key], found[key], kind, other)
    for node in FABRIC_NODES.read(store).values():
        if node["fabric_id"] == name:
            _check_address(fabric, node)
    store.put(FABRICS.kind, name, fabric)


def _check_apart(own: str, theirs: str, kind: str, other: str) -> None:
    first, second = (ipaddress.ip_network(text, strict=False) for text in (own, theirs))
    if first.version == second.version and first.overlaps(second):
        text = f"{kind} prefix {own} overlaps with {kind} prefix {theirs} in fabric '{other}'"
        raise failure(text)


@handles("PUT", _FABRIC)
async def change_fabric(call: Call) -> Any:
    """Change and delete options of a fabric."""
    store, name = call.lab.store, call.params["id"]
    with changing(store, call.params.get("lock-token"), "updating fabric failed"):
        _check_digest(call)
        fabric = _fabric(store, name)
        _check_protocol(fabric, call.params["protocol"])
        gone = call.params.get("delete", [])
        kept = {key: value for key, value in fabric.items() if key not in gone}
        _save_fabric(store, {**kept, **_given(call.params)})


def _check_protocol(fabric: Section, protocol: str) -> None:
    if fabric["protocol"] != protocol:
        raise failure("node has a different protocol than the referenced fabric")


@handles("DELETE", _FABRIC)
async def delete_fabric(call: Call) -> Any:
    """Remove a fabric that nothing uses, with its hosts."""
    store, name = call.lab.store, call.params["id"]
    with changing(store, None, "deleting fabric failed"):
        nodes = [n for n in FABRIC_NODES.read(store).values() if n["fabric_id"] == name]
        for node in nodes:
            if not call.lab.rights.has(call.user, f"/nodes/{node['node_id']}", ["Sys.Modify"]):
                text = f"permission check failed: missing 'Sys.Modify' on node {node['node_id']}"
                raise failure(text)
        _check_unused(store, name)
        _fabric(store, name)
        for node in nodes:
            store.delete(FABRIC_NODES.kind, f"{name}/{node['node_id']}")
        store.delete(FABRICS.kind, name)


def _check_unused(store: Store, name: str) -> None:
    for file, noun in ((CONTROLLERS, "EVPN controller"), (ZONES, "VXLAN zone")):
        for other, found in file.read(store).items():
            if found.get("fabric") == name:
                raise failure(f'this fabric is still used in the {noun} "{other}"')


@handles("GET", f"{_BASE}/node")
@handles("GET", f"{_BASE}/node/{{fabric_id}}")
async def list_hosts(call: Call) -> Any:
    """Hosts of all fabrics, or of one."""
    return _host_rows(call, call.params.get("fabric_id"))


def _find_host(call: Call) -> Section:
    fabric, node = call.params["fabric_id"], call.params["node_id"]
    _fabric(call.lab.store, fabric)
    found = FABRIC_NODES.read(call.lab.store).get(f"{fabric}/{node}")
    if found is None:
        raise failure(f"node '{node}' does not exist in fabric '{fabric}'")
    return found


@handles("GET", _NODE)
async def read_host(call: Call) -> Any:
    """One host of a fabric."""
    return {**_find_host(call), "digest": _digest(call.lab.store)}


@handles("POST", f"{_BASE}/node/{{fabric_id}}")
async def create_host(call: Call) -> Any:
    """Take a host into a fabric, with an address inside its range."""
    store, fabric, node = call.lab.store, call.params["fabric_id"], call.params["node_id"]
    with changing(store, call.params.get("lock-token"), "adding node failed"):
        _check_digest(call)
        _fabric(store, fabric)
        if f"{fabric}/{node}" in FABRIC_NODES.read(store):
            raise failure(f"node '{node}' already exists in config for fabric {fabric}")
        _save_host(store, _given(call.params))


def _save_host(store: Store, node: Section) -> None:
    name, fabric = node["fabric_id"], _fabric(store, node["fabric_id"])
    _check_protocol(fabric, node["protocol"])
    _check_address(fabric, node)
    own = {node[key] for key in ("ip", "ip6") if key in node}
    for other in FABRIC_NODES.read(store).values():
        same = other["fabric_id"] == name and other["node_id"] != node["node_id"]
        if same and own & {other.get("ip"), other.get("ip6")}:
            raise failure(f"fabric {name} contains nodes with duplicated IPs")
    store.put(FABRIC_NODES.kind, f"{name}/{node['node_id']}", node)


def _check_address(fabric: Section, node: Section) -> None:
    if not any(node.get(key) for key in ("ip", "ip6")):
        raise failure(f"node '{node['node_id']}' does not have any IP configured")
    for key, prefix in (("ip", "ip_prefix"), ("ip6", "ip6_prefix")):
        if key not in node:
            continue
        if prefix not in fabric:
            raise failure(
                f"fabric '{fabric['id']}' does not have an IP prefix configured for the node IP "
                f"{node[key]}"
            )
        network = ipaddress.ip_network(fabric[prefix], strict=False)
        if ipaddress.ip_address(node[key]) not in network:
            text = f"node IP {node[key]} is outside the IP prefix {fabric[prefix]} of the fabric"
            raise failure(text)


@handles("PUT", _NODE)
async def change_host(call: Call) -> Any:
    """Change and delete options of a host in a fabric."""
    store = call.lab.store
    with changing(store, call.params.get("lock-token"), "updating node failed"):
        _check_digest(call)
        node, gone = _find_host(call), call.params.get("delete", [])
        kept = {key: value for key, value in node.items() if key not in gone}
        _save_host(store, {**kept, **_given(call.params)})


@handles("DELETE", _NODE)
async def delete_host(call: Call) -> Any:
    """Take a host out of a fabric."""
    store, params = call.lab.store, call.params
    with changing(store, params.get("lock-token"), "deleting node failed"):
        _find_host(call)
        store.delete(FABRIC_NODES.kind, f"{params['fabric_id']}/{params['node_id']}")
