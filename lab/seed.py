"""Fills the store from the seed file: hosts, bridges, storages and images of the cluster.

A store that was filled before only gains what is new; nothing is changed or removed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lab.auth import ROOT
from lab.store import Store

LOOPBACK = "127.0.0.1"
MIB = 1024 * 1024


_NEEDED = {
    "nodes": ("name",),
    "storages": ("id", "type", "content"),
    "volumes": ("volid", "sizeMib"),
}


class SeedError(Exception):
    """The seed file cannot be used; the text says where and why."""


def read_seed(path: Path) -> dict[str, Any]:
    """The seed as a mapping; `SeedError` that names the first thing that is wrong."""
    try:
        seed = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SeedError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(seed, dict) or not seed.get("nodes"):
        raise SeedError(f'{path}: "nodes" must list at least one host')
    for part, names in _NEEDED.items():
        for number, entry in enumerate(seed.get(part) or []):
            missing = [name for name in names if name not in entry]
            if missing:
                raise SeedError(f"{path}: {part}[{number}] lacks {', '.join(missing)}")
    _check_hosts(path, seed)
    return seed


def _check_hosts(path: Path, seed: dict[str, Any]) -> None:
    known = {node["name"] for node in seed["nodes"]}
    if len(known) < len(seed["nodes"]):
        raise SeedError(f"{path}: two hosts have the same name")
    for entry in (*seed.get("storages", []), *seed.get("volumes", [])):
        strangers = sorted(set(entry.get("nodes") or []) - known)
        if strangers:
            name = entry.get("id") or entry.get("volid")
            raise SeedError(f"{path}: {name} is on unknown hosts: {', '.join(strangers)}")
    storages = {storage["id"] for storage in seed.get("storages", [])}
    for volume in seed.get("volumes", []):
        if volume["volid"].partition(":")[0] not in storages:
            raise SeedError(f"{path}: {volume['volid']} is on a storage that is not listed")


def apply_seed(store: Store, seed: dict[str, Any]) -> list[str]:
    """Put what the store does not have yet; the names of what was added, `kind name` each."""
    added: list[str] = []
    store.put("option", "cluster", {"name": seed.get("cluster", "lab")})
    if seed.get("services"):
        store.put("option", "services", seed["services"])
    else:
        store.delete("option", "services")
    if store.get("user", ROOT) is None:
        store.put("user", ROOT, {"enable": 1, "expire": 0})
    for number, node in enumerate(seed["nodes"], 1):
        if store.get("node", node["name"]) is None:
            _add_node(store, seed, node, number)
            added.append(f"host {node['name']}")
        added += _add_ports(store, node)
    for storage in seed.get("storages", []):
        if store.get("storage", storage["id"]) is None:
            store.put("storage", storage["id"], storage_row(storage))
            added.append(f"storage {storage['id']}")
    for volume in seed.get("volumes", []):
        added += _add_volume(store, seed, volume)
    store.commit()
    return added


def kept(store: Store, seed: dict[str, Any]) -> list[str]:
    """Hosts of an earlier seed that this one does not list; they stay."""
    listed = {node["name"] for node in seed["nodes"]}
    return [f"host {name}" for name, _ in store.items("node") if name not in listed]


def _add_node(store: Store, seed: dict[str, Any], node: dict[str, Any], number: int) -> None:
    row = {
        "name": node["name"],
        "nodeid": number,
        "cores": int(node.get("cores", 4)),
        "memoryMib": int(node.get("memoryMib", 8192)),
        "address": node.get("address", LOOPBACK),
        "since": int(time.time()),
    }
    store.put("node", node["name"], row)
    _add_interface(store, node["name"], "eth0", {"type": "eth", "method": "manual"}, 3)
    for place, bridge in enumerate(seed.get("bridges") or ["vmbr0"]):
        values: dict[str, Any] = {
            "type": "bridge",
            "method": "manual",
            "autostart": 1,
            "bridge_ports": "",
        }
        if place == 0:
            network = row["address"].rpartition(".")[0]
            values |= {
                "method": "static",
                "address": row["address"],
                "netmask": "24",
                "gateway": f"{network}.254",
                "bridge_ports": "eth0",
            }
        _add_interface(store, node["name"], bridge, values, 4 + place)


def _add_ports(store: Store, node: dict[str, Any]) -> list[str]:
    """Network ports that a site's bridges need and the host does not have yet."""
    missing = [
        name for name in node.get("ports") or [] if not store.get("iface", f"{node['name']}/{name}")
    ]
    for place, name in enumerate(missing):
        values = {"type": "eth", "method": "manual"}
        _add_interface(store, node["name"], name, values, 20 + place)
    return [f"port {name} of {node['name']}" for name in missing]


def _add_interface(
    store: Store, node: str, name: str, values: dict[str, Any], priority: int
) -> None:
    row = {**values, "priority": priority}
    store.put("iface", f"{node}/{name}", {"config": row, "applied": row})


def storage_row(storage: dict[str, Any]) -> dict[str, Any]:
    """A storage of the seed as a section of the storage configuration.

    `sizeGib` stays with it: the size that the status of the storage tells.
    """
    row: dict[str, Any] = {
        "type": storage["type"],
        "content": ",".join(sorted(storage["content"])),
        "sizeGib": storage.get("sizeGib", 100),
    }
    for name in ("path", "server", "export", "share", "vgname", "thinpool", "pool"):
        if name in storage:
            row[name] = storage[name]
    if storage["type"] in ("nfs", "cifs"):
        row.setdefault("path", f"/mnt/pve/{storage['id']}")
    if storage.get("shared"):
        row["shared"] = 1
    if storage.get("nodes"):
        row["nodes"] = ",".join(sorted(storage["nodes"]))
    return row


def _add_volume(store: Store, seed: dict[str, Any], volume: dict[str, Any]) -> list[str]:
    """Rows of one image: one on a shared storage, else one per host it is on."""
    volid: str = volume["volid"]
    storage, _, name = volid.partition(":")
    shared = bool((store.get("storage", storage) or {}).get("shared"))
    hosts = volume.get("nodes") or [node["name"] for node in seed["nodes"]]
    added = []
    for host in [None] if shared else hosts:
        key = volid if host is None else f"{host}/{volid}"
        if store.get("volume", key) is None:
            store.put("volume", key, _volume_row(volid, name, volume, host))
            added.append(f"volume {key}")
    return added


def _volume_row(volid: str, name: str, volume: dict[str, Any], host: str | None) -> dict[str, Any]:
    content = name.partition("/")[0]
    size = int(float(volume["sizeMib"]) * MIB)
    return {
        "volid": volid,
        "storage": volid.partition(":")[0],
        "size": size,
        "used": size,
        "filled": True,
        "format": volume.get("format") or name.rpartition(".")[2],
        "content": content,
        "vmid": None,
        "node": host,
        "base": None,
        "ctime": int(time.time()),
    }
