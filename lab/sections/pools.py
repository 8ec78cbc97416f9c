"""Pools: guests and storages under one name, nested up to three levels."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.formats import split_list
from lab.routes import handles
from lab.sections.resources import all_rows, storage_row
from lab.storage.definitions import members
from lab.store import Value

_DROPPED = ("pool",)


def _find(call: Call, prefix: str = "") -> Value:
    name = call.params["poolid"]
    found = call.lab.store.get("pool", name)
    if found is None:
        raise failure(f"{prefix}pool '{name}' does not exist")
    return found


def _shown(name: str, pool: Value) -> dict[str, Any]:
    return {"poolid": name} | ({"comment": pool["comment"]} if pool.get("comment") else {})


@handles("GET", "/pools")
async def list_pools(call: Call) -> Any:
    """Pools the caller may audit; with `poolid` that one, with its members."""
    if "poolid" in call.params:
        call.lab.rights.require(call.user, f"/pool/{call.params['poolid']}", ["Pool.Audit"])
        return [_with_members(call)]
    return [
        _shown(name, pool)
        for name, pool in call.lab.store.items("pool")
        if call.lab.rights.has(call.user, f"/pool/{name}", ["Pool.Audit"])
    ]


@handles("GET", "/pools/{poolid}")
async def read_pool(call: Call) -> Any:
    """One pool and its members."""
    answer = _with_members(call)
    del answer["poolid"]
    return {"poolid": call.params["poolid"], **answer}


def _with_members(call: Call) -> dict[str, Any]:
    pool, wanted = _find(call), call.params.get("type")
    found = []
    vmids = set(pool["vms"])
    for row in all_rows(call.lab):
        if row.get("vmid") in vmids and wanted in (None, row["type"]):
            found.append({k: v for k, v in row.items() if k not in _DROPPED})
    if wanted in (None, "storage"):
        found += _storages(call, pool)
    return {**_shown(call.params["poolid"], pool), "members": found}


def _storages(call: Call, pool: Value) -> list[dict[str, Any]]:
    rows = []
    for name in pool["storage"]:
        config = call.lab.store.get("storage", name)
        if config is not None:
            nodes = sorted(members(config.get("nodes"))) or [call.lab.nodes()[0]["name"]]
            rows.append(storage_row(call.lab, name, config, nodes[0]))
    return rows


@handles("POST", "/pools")
async def create_pool(call: Call) -> Any:
    """A new, empty pool below an existing one, or at the top."""
    store, name, prefix = call.lab.store, call.params["poolid"], "create pool failed: "
    if not name[0].isalpha():
        raise failure(f"{prefix}pool name must start with a letter")
    if store.get("pool", name) is not None:
        raise failure(f"{prefix}pool '{name}' already exists")
    parent = name.rpartition("/")[0]
    if parent and store.get("pool", parent) is None:
        raise failure(f"{prefix}parent '{parent}' of pool '{name}' does not exist")
    row = {"comment": call.params.get("comment", ""), "vms": [], "storage": []}
    store.put("pool", name, row)


@handles("PUT", "/pools")
@handles("PUT", "/pools/{poolid}")
async def change_pool(call: Call) -> Any:
    """Change the comment, and add members or with `delete` take them out."""
    prefix, params = "update pools failed: ", call.params
    pool = dict(_find(call, prefix))
    if "comment" in params:
        pool["comment"] = params["comment"]
    vmids = [int(vmid) for vmid in split_list(params.get("vms", ""))]
    _check_guests(call, pool, vmids, prefix)
    storages = split_list(params.get("storage", ""))
    _check_storages(call, pool, storages, prefix)
    if params.get("delete"):
        pool["vms"] = [vmid for vmid in pool["vms"] if vmid not in vmids]
        pool["storage"] = [name for name in pool["storage"] if name not in storages]
    else:
        for vmid in vmids:
            call.lab.pool_remove(vmid)
        pool["vms"] = [*pool["vms"], *vmids]
        pool["storage"] = [*pool["storage"], *storages]
    call.lab.store.put("pool", params["poolid"], pool)


def _check_guests(call: Call, pool: Value, vmids: list[int], prefix: str) -> None:
    for vmid in vmids:
        call.lab.rights.require(call.user, f"/vms/{vmid}", ["VM.Allocate"])
        inside = vmid in pool["vms"]
        if call.params.get("delete"):
            if not inside:
                raise failure(f"{prefix}VM {vmid} is not a pool member")
            continue
        if inside:
            raise failure(f"{prefix}VM {vmid} is already a pool member")
        if (others := call.lab.pools_of(vmid)) and not call.params.get("allow-move"):
            raise failure(
                f"{prefix}VM {vmid} belongs already to pool '{others[0]}' "
                "and 'allow-move' is not set"
            )


def _check_storages(call: Call, pool: Value, names: list[str], prefix: str) -> None:
    for name in names:
        call.lab.rights.require(call.user, f"/storage/{name}", ["Datastore.Allocate"])
        inside = name in pool["storage"]
        if call.params.get("delete") and not inside:
            raise failure(f"{prefix}Storage '{name}' is not a pool member")
        if inside and not call.params.get("delete"):
            raise failure(f"{prefix}Storage '{name}' is already a pool member")


@handles("DELETE", "/pools")
@handles("DELETE", "/pools/{poolid}")
async def delete_pool(call: Call) -> Any:
    """Remove an empty pool."""
    store, name, prefix = call.lab.store, call.params["poolid"], "delete pool failed: "
    pool = _find(call, prefix)
    inside = [f"pool '{other}'" for other, _ in store.items("pool") if other.startswith(f"{name}/")]
    inside += [f"VM {vmid}" for vmid in pool["vms"]]
    inside += [f"storage '{storage}'" for storage in pool["storage"]]
    if inside:
        raise failure(f"{prefix}pool '{name}' is not empty (contains {inside[0]})")
    store.delete("pool", name)
