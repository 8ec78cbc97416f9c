"""Everything in the cluster in one list: hosts, guests, storages and pools."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lab.app import Lab
from lab.call import Call
from lab.faults import status_daemon
from lab.guests.read import resource_row as machine_row
from lab.ha.config import RESOURCE, STATUS, state_of
from lab.lxc.read import resource_row as container_row
from lab.routes import handles
from lab.sdn.files import HOST, RUNNING
from lab.sdn.status import network_rows
from lab.storage import definitions
from lab.storage.status import usage
from lab.tls import fingerprint

MIB = 1024 * 1024
GIB = 1024 * MIB
HOST_MEMORY = 1 * GIB
HOST_DISK = 100 * GIB
HOST_DISK_USED = 8 * GIB
CLOCK = 5.0  # seconds
_TOLD = (
    *("qemu", "lxc", "node", "storage", "pool", "volume"),
    *("iface", "ha-resource", "ha-status", RUNNING, HOST),
)
_ROWS: dict[str, Callable[[Lab, int, dict[str, Any]], dict[str, Any]]] = {
    "qemu": machine_row,
    "lxc": container_row,
}
Rows = list[dict[str, Any]]
_OF_ANY_HOST = ("id", "type", "node", "status", "level", "cgroup-mode")
_TYPES = {"vm": ("qemu", "lxc"), "node": ("node",), "storage": ("storage",), "sdn": ("sdn",)}


@handles("GET", "/cluster/resources")
async def list_resources(call: Call) -> Any:
    """All that the caller may see, of one type when `type` is given."""
    wanted = _TYPES.get(call.params.get("type", ""))
    if wanted is None:
        rows = _kept(call.lab, "resources-with-loads", _rows_with_loads_of_pools)
    else:
        rows = [row for row in all_rows(call.lab) if row["type"] in wanted]
    if call.lab.rights.unlimited(call.user):
        return rows
    seen = (_visible(call, row) for row in rows)
    return [row for row in seen if row is not None]


def _rows_with_loads_of_pools(lab: Lab) -> Rows:
    """The list with what the running guests of each pool use, where there are any."""
    rows = all_rows(lab)
    loads: dict[str, dict[str, Any]] = {}
    for row in rows:
        if "pool" in row and "vmid" in row and row.get("uptime"):
            load = loads.setdefault(
                row["pool"], dict.fromkeys(("uptime", "mem", "maxmem", "cpu", "maxcpu"), 0)
            )
            cores = load["maxcpu"] + row["maxcpu"]
            used = load["cpu"] * load["maxcpu"] + row["cpu"] * row["maxcpu"]
            load |= {
                "uptime": max(load["uptime"], row["uptime"]),
                "mem": load["mem"] + row["mem"],
                "maxmem": load["maxmem"] + row["maxmem"],
                "cpu": used / cores if cores else 0,
                "maxcpu": cores,
            }
    if not loads:
        return rows
    return [row | loads.get(row["pool"], {}) if row["type"] == "pool" else row for row in rows]


def all_rows(lab: Lab) -> Rows:
    """The whole list."""
    return _kept(lab, "resources", _make_rows)


def _kept(lab: Lab, name: str, make: Callable[[Lab], Rows]) -> Rows:
    """A list of resources; made anew after a write to what it tells of, and every five seconds for
    the figures in it."""
    stamp = (
        lab.store.generation_of(*_TOLD),
        int(time.monotonic() / CLOCK),
        status_daemon.stamp(lab),
    )
    cached = lab.cache.get(name)
    if cached is None or cached[0] != stamp:
        cached = lab.cache[name] = (stamp, make(lab))
    rows: Rows = cached[1]
    return rows


def _make_rows(lab: Lab) -> Rows:
    pools = [
        {"id": f"/pool/{name}", "type": "pool", "pool": name} for name, _ in lab.store.items("pool")
    ]
    guests = status_daemon.as_of_last_round(lab, guest_rows(lab))
    running = _running(guests)
    nodes = [
        lost_row(node) if lab.faults.offline(node["name"])
        else node_row(node, running.get(node["name"], []))
        for node in lab.nodes()
    ]  # fmt: skip
    return [*guests, *nodes, *storage_rows(lab), *pools, *network_rows(lab)]


def _running(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of running guests by host."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.get("status") == "running":
            found.setdefault(row["node"], []).append(row)
    return found


def guest_rows(lab: Lab) -> list[dict[str, Any]]:
    """One row per guest, kept until it is written again or, when it runs, the clock ticks."""
    pools = {vmid: name for name, pool in lab.store.items("pool") for vmid in pool["vms"]}
    tick = int(time.monotonic() / CLOCK)
    kept: dict[str, tuple[Any, int, Any]] = lab.cache.get("guest rows", (None, {}))[1]
    fresh: dict[str, tuple[Any, int, Any]] = {}
    rows = []
    watched = _watched(lab)
    for kind, make in _ROWS.items():
        for key, guest in lab.store.items(kind):
            found = kept.get(key, (None, 0, None))
            if found[0] is not guest or (guest["status"] == "running" and found[1] != tick):
                found = (guest, tick, make(lab, int(key), guest))
            fresh[key] = found
            row, pool = found[2], pools.get(int(key))
            if pool is not None:
                row = {**row, "pool": pool}
            if state := watched.get((kind, key)):
                row = {**row, "hastate": state}
            rows.append(row)
    lab.cache["guest rows"] = (None, fresh)
    return rows


def _watched(lab: Lab) -> dict[tuple[str, str], str | None]:
    """The `hastate` of the guests that the HA manager knows."""
    kinds = {"vm": "qemu", "ct": "lxc"}
    rows = [*lab.store.items(RESOURCE), *lab.store.items(STATUS)]
    ids = {sid.partition(":")[::2] for sid, _ in rows}
    return {
        (kinds[word], vmid): state_of(lab.store, kinds[word], vmid)
        for word, vmid in ids
        if word in kinds
    }


def read_node(lab: Lab, name: str) -> dict[str, Any]:
    """The row of one host."""
    return next(row for row in all_rows(lab) if row["id"] == f"node/{name}")


def lost_row(node: dict[str, Any]) -> dict[str, Any]:
    """A host that cannot be reached; its guests keep the status they had."""
    return {
        "id": f"node/{node['name']}",
        "type": "node",
        "node": node["name"],
        "status": "offline",
        "level": "",
    }


def node_row(node: dict[str, Any], running: list[dict[str, Any]]) -> dict[str, Any]:
    """A host with its load: what its running guests use and 1 GiB of its own."""
    cpu = sum(row.get("cpu", 0) * row["maxcpu"] for row in running) / node["cores"]
    memory = node["memoryMib"] * MIB
    return {
        "id": f"node/{node['name']}",
        "type": "node",
        "node": node["name"],
        "status": "online",
        "level": "",
        "cgroup-mode": 2,
        "cpu": min(1.0, 0.01 + cpu),
        "maxcpu": node["cores"],
        "mem": min(memory, HOST_MEMORY + sum(row.get("mem", 0) for row in running)),
        "maxmem": memory,
        "disk": HOST_DISK_USED,
        "maxdisk": HOST_DISK,
        "uptime": int(time.time()) - node["since"],
    }


def storage_rows(lab: Lab) -> list[dict[str, Any]]:
    """One object per storage and host that may use it; disabled ones are left out."""
    return [
        storage_row(lab, name, config, node["name"])
        for name, config in lab.store.items("storage")
        for node in lab.nodes()
        if not config.get("disable") and definitions.on_node(config, node["name"])
    ]


def storage_row(lab: Lab, name: str, config: dict[str, Any], node: str) -> dict[str, Any]:
    """A storage as one host sees it."""
    used, total = usage(lab, name, node)
    return {
        "id": f"storage/{node}/{name}",
        "type": "storage",
        "storage": name,
        "node": node,
        "plugintype": config["type"],
        "status": "available",
        "shared": int(definitions.is_shared(config)),
        "content": ",".join(sorted(definitions.contents(config))),
        "disk": used,
        "maxdisk": total,
    }


def _visible(call: Call, row: dict[str, Any]) -> dict[str, Any] | None:
    """The row as the caller may see it, or None."""
    rights, kind = call.lab.rights, row["type"]
    if kind in ("qemu", "lxc"):
        if not rights.has(call.user, f"/vms/{row['vmid']}", ["VM.Audit"]):
            return None
        pool = row.get("pool")
        hidden = pool and not rights.has(call.user, f"/pool/{pool}", ["Pool.Audit"])
        return {name: row[name] for name in row if name != "pool"} if hidden else row
    if kind == "storage":
        path, names = f"/storage/{row['storage']}", ["Datastore.Audit"]
        return row if rights.has(call.user, path, names) else None
    if kind == "pool":
        path = f"/pool/{row['pool']}"
        return row if rights.has(call.user, path, ["Pool.Audit"]) else None
    if kind == "network":
        path = f"/sdn/zones/{row['network']}"
        return row if rights.has(call.user, path, ["SDN.Audit"]) else None
    if rights.has(call.user, f"/nodes/{row['node']}", ["Sys.Audit"]):
        return row
    return {name: row[name] for name in _OF_ANY_HOST if name in row}


@handles("GET", "/nodes")
async def list_nodes(call: Call) -> Any:
    """All hosts; without the right to audit one, only that it is there."""
    print_of_certificate = fingerprint(call.lab.settings.state)
    rows = [row for row in all_rows(call.lab) if row["type"] == "node"]
    found = []
    for row in rows:
        seen = _visible(call, row)
        shown = {name: value for name, value in (seen or {}).items() if name != "cgroup-mode"}
        found.append(shown | {"ssl_fingerprint": print_of_certificate})
    return found
