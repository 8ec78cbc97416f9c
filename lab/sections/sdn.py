"""SDN as a whole: apply, lock, roll back, compare; and what hosts show of it."""

from __future__ import annotations

import difflib
from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure, not_implemented
from lab.guests.nets import is_net, parse_net
from lab.routes import handles
from lab.sdn import lock
from lab.sdn.files import VNETS, ZONES, Sections, commit, has_pending, on_node, roll_back
from lab.sdn.status import vnet_status, zone_status
from lab.section_file import by_name
from lab.sections.network import reload_task, shown_interfaces
from lab.sections.sdn_vnets import READ, require_vnet
from lab.store import Store
from lab.tasks import TaskLog

_PENDING = "configuration has pending changes at /usr/share/perl5/PVE/API2/Network/SDN.pm line 1."


@handles("PUT", "/cluster/sdn")
async def apply(call: Call) -> Any:
    """Make what is configured the applied state, and let every host reload its network."""
    store, token = call.lab.store, call.params.get("lock-token")
    with lock.changing(store, token, "could not commit SDN config"):
        commit(store)
        _release(call, token)

    async def work(log: TaskLog) -> None:
        for node in call.lab.nodes():
            log(f"{node['name']}: reloading network config")
            if call.lab.faults.offline(node["name"]):
                # The task is a success all the same; only its log tells.
                log("proxy handler failed: No route to host")
                continue
            await reload_task(call, node["name"])

    return await call.lab.tasks.start(call, call.lab.local, "reloadnetworkall", "", work)


def _release(call: Call, token: str | None) -> None:
    if token is not None and call.params.get("release-lock", 1):
        lock.release(call.lab.store)


@handles("POST", "/cluster/sdn/lock")
async def acquire(call: Call) -> Any:
    """Take the lock over all SDN files; its token goes with every change until it is released."""
    with lock.changing(call.lab.store, None, "could not acquire lock for SDN config"):
        if not call.params.get("allow-pending") and has_pending(call.lab.store):
            raise failure(_PENDING)
        return lock.acquire(call.lab.store)


@handles("DELETE", "/cluster/sdn/lock")
async def release(call: Call) -> Any:
    """Give the lock back; by force without its token."""
    store = call.lab.store
    if call.params.get("force"):
        lock.release(store)
        return
    with lock.changing(store, call.params.get("lock-token"), "could not release lock"):
        lock.release(store)


@handles("POST", "/cluster/sdn/rollback")
async def forget_changes(call: Call) -> Any:
    """Take back everything that is not applied."""
    store, token = call.lab.store, call.params.get("lock-token")
    with lock.changing(store, token, "could not rollback SDN configuration"):
        roll_back(store)
        _release(call, token)


@handles("GET", "/cluster/sdn/dry-run")
async def compare(call: Call) -> Any:
    """What applying would change in a host's file of virtual networks; there is no routing."""
    store, node = call.lab.store, call.params["node"]
    before = _bridges(ZONES.running(store), VNETS.running(store), node)
    after = _bridges(ZONES.read(store), VNETS.read(store), node)
    names = ("/etc/network/interfaces.d/sdn", "/tmp/sdn")  # noqa: S108 - names in a text
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    return {"frr-diff": None, "interfaces-diff": "\n".join([*lines, ""]) if lines else None}


def _bridges(zones: Sections, vnets: Sections, node: str) -> list[str]:
    lines: list[str] = []
    for name, vnet in by_name(vnets):
        zone = zones.get(vnet["zone"])
        if zone is None or not on_node(zone, node):
            continue
        lines += [f"auto {name}", f"iface {name}", f"\t#zone {vnet['zone']}"]
        options = {**zone, **vnet}
        lines += [f"\t{k} {options[k]}" for k in ("bridge", "tag", "mtu", "alias") if k in options]
        lines.append("")
    return lines


@handles("GET", "/nodes/{node}/sdn/zones")
async def host_zones(call: Call) -> Any:
    """The applied zones of a host and how they are, told to everybody."""
    found = zone_status(call.lab.store, call.params["node"])
    return [{"zone": name, "status": row["status"]} for name, row in found.items()]


@handles("GET", "/nodes/{node}/sdn/zones/{zone}/content")
async def host_vnets(call: Call) -> Any:
    """The applied networks of a zone on a host and how they are."""
    zone, found = call.params["zone"], vnet_status(call.lab.store, call.params["node"])
    return [
        {"vnet": name, "status": row["status"], "statusmsg": row["statusmsg"]}
        for name, row in found.items()
        if row["zone"] == zone
    ]


@handles("GET", "/nodes/{node}/sdn/zones/{zone}/bridges")
async def host_bridges(call: Call) -> Any:
    """The bridges of a zone on a host, with the cards of running guests on them."""
    lab, node, zone = call.lab, call.params["node"], call.params["zone"]
    if zone == "localnetwork":
        names = [row["iface"] for row in shown_interfaces(call, "bridge")]
    elif zone not in ZONES.running(lab.store):
        raise bad_parameter("zone", "zone does not exist")
    else:
        names = [n for n, v in VNETS.running(lab.store).items() if v["zone"] == zone]
    return [
        {
            "name": name,
            "vlan_filtering": str(_aware(lab.store, node, name)),
            "ports": _ports(call, name),
        }
        for name in names
        if lab.rights.has(call.user, f"/sdn/zones/{zone}/{name}", READ, one=True)
    ]


@handles("GET", "/nodes/{node}/sdn/zones/{zone}/ip-vrf")
async def zone_routes(call: Call) -> Any:
    """Routes of an EVPN zone; nothing is routed here."""
    zone = ZONES.running(call.lab.store).get(call.params["zone"])
    if zone is None:
        raise bad_parameter("zone", "zone does not exist")
    if zone["type"] != "evpn":
        raise bad_parameter("zone", "zone is not an EVPN zone")
    raise not_implemented(call.method, call.path)


@handles("GET", "/nodes/{node}/sdn/vnets/{vnet}")
async def vnet_folder(call: Call) -> Any:
    """What a host tells of a network."""
    require_vnet(call, ["SDN.Audit"])
    return [{"subdir": "mac-vrf"}]


@handles("GET", "/nodes/{node}/sdn/vnets/{vnet}/mac-vrf")
async def vnet_routes(call: Call) -> Any:
    """Where an EVPN network's cards are; nothing is routed here."""
    require_vnet(call, ["SDN.Audit"])
    vnet = VNETS.running(call.lab.store).get(call.params["vnet"])
    if vnet is None:
        raise bad_parameter("vnet", "vnet does not exist")
    zone = ZONES.running(call.lab.store).get(vnet["zone"])
    if zone is None:
        raise bad_parameter("zone", f"zone {vnet['zone']} does not exist")
    if zone["type"] != "evpn":
        raise bad_parameter("zone", f"zone {vnet['zone']} is not an EVPN zone.")
    raise not_implemented(call.method, call.path)


def _aware(store: Store, node: str, name: str) -> int:
    vnet, row = store.get("vnet", name), store.get("iface", f"{node}/{name}")
    if vnet is not None:
        return int(vnet.get("vlanaware", 0))
    return int(((row or {}).get("applied") or {}).get("bridge_vlan_aware", 0))


def _ports(call: Call, bridge: str) -> list[dict[str, Any]]:
    return [
        {"name": f"tap{vmid}i{key[3:]}", "vmid": int(vmid), "index": key}
        for vmid, guest in call.lab.store.items("qemu")
        if guest["node"] == call.params["node"] and guest["status"] == "running"
        for key, value in guest["config"].items()
        if is_net(key) and parse_net(value).get("bridge") == bridge
    ]
