"""Version, status of the cluster, the next free VMID, and its tasks and log."""

from __future__ import annotations

from typing import Any

import lab as room
from lab.app import Lab
from lab.call import Call
from lab.digest import digest_of
from lab.errors import bad_parameter, failure
from lab.formats import parse_property_string
from lab.routes import handles
from lab.sections.tasks import listed
from lab.tls import fingerprint

FIRST_VMID = 100
LAST_VMID = 1_000_000
RECENT_TASKS = 25


def version() -> dict[str, str]:
    """What the cluster says it runs."""
    return {"release": room.API_RELEASE, "repoid": room.API_REPOID, "version": room.API_VERSION}


@handles("GET", "/version")
async def read_version(call: Call) -> Any:
    """The version, and the console the cluster prefers when one is set."""
    console = (call.lab.store.get("option", "datacenter") or {}).get("console")
    return version() | ({"console": console} if console else {})


@handles("GET", "/cluster/status")
async def read_status(call: Call) -> Any:
    """The cluster itself and one object per host."""
    nodes = call.lab.nodes()
    cluster = {
        "id": "cluster",
        "type": "cluster",
        "name": call.lab.cluster,
        "nodes": len(nodes),
        "quorate": int(call.lab.faults.quorate),
        "version": len(nodes),
    }
    return [cluster, *(_node_status(call.lab, node) for node in nodes)]


def _node_status(lab: Lab, node: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"node/{node['name']}",
        "type": "node",
        "name": node["name"],
        "nodeid": node["nodeid"],
        "ip": node["address"],
        "online": int(not lab.faults.offline(node["name"])),
        "local": int(node["name"] == lab.local),
        "level": "",
    }


@handles("GET", "/cluster/nextid")
async def next_id(call: Call) -> Any:
    """The lowest free VMID as a text, or the one asked for when it is free."""
    wanted = call.params.get("vmid")
    if wanted is not None:
        if _taken(call, wanted):
            raise bad_parameter("vmid", f"VM {wanted} already exists")
        return str(wanted)
    options = call.lab.store.get("option", "datacenter") or {}
    bounds = parse_property_string("datacenter-next-id", options.get("next-id", ""))
    lower, upper = bounds.get("lower", FIRST_VMID), bounds.get("upper", LAST_VMID)
    for vmid in range(lower, upper):
        if not _taken(call, vmid):
            return str(vmid)
    raise failure(f"unable to get any free VMID in range [{lower}, {upper}]")


def _taken(call: Call, vmid: int) -> bool:
    return any(call.lab.store.get(kind, str(vmid)) is not None for kind in ("qemu", "lxc"))


@handles("GET", "/cluster/tasks")
async def recent_tasks(call: Call) -> Any:
    """The newest tasks of every host."""
    found: list[dict[str, Any]] = []
    for node in call.lab.nodes():
        tasks = [task for task in call.lab.tasks.list() if task["node"] == node["name"]]
        found += [{**listed(task), "saved": "1"} for task in tasks[:RECENT_TASKS]]
    see_all = call.lab.rights.has(call.user, "/", ["Sys.Audit"])
    return [task for task in found if see_all or task["user"] == call.user]


@handles("GET", "/cluster/log")
async def read_log(call: Call) -> Any:
    """Starts of tasks, the caller's own if nothing else; the lab logs nothing else here."""
    see_all = call.lab.rights.has(call.user, "/", ["Sys.Syslog"])
    tasks = [task for task in call.lab.tasks.list() if see_all or task["user"] == call.user]
    return [
        {
            "uid": number,
            "id": f"{number}:{task['node']}",
            "time": task["starttime"],
            "node": task["node"],
            "pid": task["pid"],
            "pri": 6,
            "tag": "pvedaemon",
            "user": task["user"],
            "msg": f"starting task {task['upid']}",
        }
        for number, task in enumerate(tasks[: call.params.get("max", 50)], 1)
    ]


@handles("GET", "/cluster/config/apiversion")
async def join_version(_call: Call) -> Any:
    """The version of the way in which hosts join."""
    return 1


@handles("GET", "/cluster/config/nodes")
async def configured_nodes(call: Call) -> Any:
    """The hosts as the cluster's own file names them."""
    return [{"node": node["name"], **_in_file(node)} for node in call.lab.nodes()]


def _in_file(node: dict[str, Any]) -> dict[str, str]:
    """What the cluster's own file says of a host: all values are texts."""
    return {
        "name": node["name"],
        "nodeid": str(node["nodeid"]),
        "quorum_votes": "1",
        "ring0_addr": node["address"],
    }


@handles("GET", "/cluster/config/join")
async def join_information(call: Call) -> Any:
    """What a host has to know to join, by way of one that is in."""
    lab = call.lab
    name = call.params.get("node", lab.local)
    if lab.store.get("node", name) is None:
        raise failure(f"unknown node '{name}'")
    mark = fingerprint(lab.settings.state)
    nodes = [
        {**_in_file(node), "pve_addr": node["address"], "pve_fp": mark} for node in lab.nodes()
    ]
    talk = _totem(lab)
    return {
        "config_digest": digest_of([nodes, talk]),
        "nodelist": nodes,
        "preferred_node": name,
        "totem": talk,
    }


@handles("GET", "/cluster/config/qdevice")
async def quorum_device(_call: Call) -> Any:
    """There is none."""
    return {}


@handles("GET", "/cluster/config/totem")
async def totem(call: Call) -> Any:
    """How the hosts talk to each other."""
    return _totem(call.lab)


def _totem(lab: Lab) -> dict[str, Any]:
    return {
        "cluster_name": lab.cluster,
        "config_version": str(len(lab.nodes())),
        "interface": {"0": {"linknumber": "0"}},
        "ip_version": "ipv4-6",
        "link_mode": "passive",
        "secauth": "on",
        "version": "2",
    }
