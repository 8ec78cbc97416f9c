"""Pools: guests and storages under one name, nested up to three levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.call import Call
from lab.errors import ApiError, failure
from lab.formats import split_list
from lab.routes import handles
from lab.sections.resources import all_rows, storage_row
from lab.sections.tokens import kept_text
from lab.storage.definitions import members
from lab.store import Value

_DROPPED = ("pool", "tags", "lock", "hastate")
_UPDATE = "update pools failed: "


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
    if store.get("pool", name) is not None:
        raise failure(f"{prefix}pool '{name}' already exists")
    parent, _, leaf = name.rpartition("/")
    if parent and store.get("pool", parent) is None:
        raise failure(f"{prefix}parent '{parent}' of pool '{name}' does not exist")
    if not leaf[0].isalpha():
        raise failure(f"{prefix}pool name must start with a letter")
    row = {"comment": kept_text(call.params.get("comment", "")), "vms": [], "storage": []}
    store.put("pool", name, row)


@handles("PUT", "/pools")
@handles("PUT", "/pools/{poolid}")
async def change_pool(call: Call) -> Any:
    """Change the comment, and add members or with `delete` take them out; all or nothing."""
    pool = dict(_find(call, _UPDATE))
    if "comment" in call.params:
        pool["comment"] = kept_text(call.params["comment"])
    taken = _change_guests(call, pool)
    _change_storages(call, pool)
    for vmid in taken:
        call.lab.pool_remove(vmid)
    call.lab.store.put("pool", call.params["poolid"], pool)


def _change_guests(call: Call, pool: Value) -> list[int]:
    """Change the list of guests; those that have to leave other pools."""
    name, taken = call.params["poolid"], []
    for vmid in (int(text) for text in split_list(call.params.get("vms", ""))):
        _check_member(call, f"/vms/{vmid}")
        if call.params.get("delete"):
            if vmid not in pool["vms"]:
                raise failure(f"{_UPDATE}VM {vmid} is not a pool member")
            pool["vms"] = [each for each in pool["vms"] if each != vmid]
            continue
        if vmid in pool["vms"]:
            raise failure(f"{_UPDATE}VM {vmid} is already a pool member")
        for other in call.lab.pools_of(vmid):
            if other == name:
                continue  # taken out by this very call
            if not call.params.get("allow-move"):
                raise failure(
                    f"{_UPDATE}VM {vmid} belongs already to pool '{other}' "
                    "and 'allow-move' is not set"
                )
            rights = call.lab.rights
            _under_lock(rights.require, call.user, f"/pool/{other}", ["Pool.Allocate"])
            taken.append(vmid)
        pool["vms"] = [*pool["vms"], vmid]
    return taken


def _change_storages(call: Call, pool: Value) -> None:
    for storage in split_list(call.params.get("storage", "")):
        _check_member(call, f"/storage/{storage}")
        inside = storage in pool["storage"]
        if call.params.get("delete"):
            if not inside:
                raise failure(f"{_UPDATE}Storage '{storage}' is not a pool member")
            pool["storage"] = [each for each in pool["storage"] if each != storage]
        elif inside:
            raise failure(f"{_UPDATE}Storage '{storage}' is already a pool member")
        else:
            pool["storage"] = [*pool["storage"], storage]


def _check_member(call: Call, path: str) -> None:
    """Who puts an object into a pool gives others rights on it."""
    _under_lock(call.lab.rights.require_modify, call.user, path)


def _under_lock(check: Callable[..., None], *arguments: Any) -> None:
    """A refusal found while the file is locked comes as 500, with its own status in the text."""
    try:
        check(*arguments)
    except ApiError as error:
        raise failure(f"{_UPDATE}{error.status} {error.message}") from error


def _is_guest(call: Call, vmid: int) -> bool:
    return any(call.lab.store.get(kind, str(vmid)) for kind in ("qemu", "lxc"))


@handles("DELETE", "/pools")
@handles("DELETE", "/pools/{poolid}")
async def delete_pool(call: Call) -> Any:
    """Remove a pool that has no members left, and the rights on it."""
    store, name, prefix = call.lab.store, call.params["poolid"], "delete pool failed: "
    pool = _find(call, prefix)
    inside = sorted(f"pool '{k}'" for k, _ in store.items("pool") if k.startswith(f"{name}/"))
    guests = (vmid for vmid in pool["vms"] if _is_guest(call, vmid))
    inside += sorted(f"VM {vmid}" for vmid in guests)
    inside += sorted(f"storage '{k}'" for k in pool["storage"] if store.get("storage", k))
    if inside:
        raise failure(f"{prefix}pool '{name}' is not empty (contains {inside[0]})")
    # What is below goes too; entries of a pool inside another one are left behind.
    for key, entry in store.items("acl"):
        if "/" not in name and f"{entry['path']}/".startswith(f"/pool/{name}/"):
            store.delete("acl", key)
    store.delete("pool", name)
