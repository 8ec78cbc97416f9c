"""Storages as a host sees them: which there are, how full, and for what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import bad_parameter
from lab.formats import split_list
from lab.routes import handles
from lab.sections.storage_types import TYPES
from lab.storage import definitions
from lab.storage.definitions import Config, storage_config

if TYPE_CHECKING:
    from lab.app import Lab

GIB = 1024**3
DEFAULT_GIB = 100
_SEE = ["Datastore.Audit", "Datastore.AllocateSpace"]
_TARGETS = ("iscsi", "iscsidirect")
STORAGE = "/nodes/{node}/storage/{storage}"


def usage(lab: Lab, storage: str, node: str) -> tuple[int, int]:
    """Bytes used and bytes in all, of a storage as seen from a host."""
    config = storage_config(lab, storage)
    shared = definitions.is_shared(config)
    total = int(float(config.get("sizeGib", DEFAULT_GIB)) * GIB)
    if lab.faults.full(storage, node):
        return total, total
    used = _used(lab).get((storage, None if shared else node), 0)
    return min(used, total), total


def _used(lab: Lab) -> dict[tuple[str, str | None], int]:
    """Bytes used by storage and host (None when shared); counted again after a write."""
    generation = lab.store.generation_of("volume")
    cached = lab.cache.get("storage use")
    if cached is None or cached[0] != generation:
        sums: dict[tuple[str, str | None], int] = {}
        for _, row in lab.store.items("volume"):
            key = (row["volid"].partition(":")[0], row["node"])
            sums[key] = sums.get(key, 0) + int(row["used"] if "used" in row else row["size"])
        cached = lab.cache["storage use"] = (generation, sums)
    used: dict[tuple[str, str | None], int] = cached[1]
    return used


def _status(lab: Lab, storage: str, config: Config, node: str) -> dict[str, Any]:
    usable = _usable(config, node)
    used, total = usage(lab, storage, node) if usable else (0, 0)
    return {
        "type": config["type"],
        "content": ",".join(sorted(definitions.contents(config))),
        "shared": int(definitions.is_shared(config)),
        "enabled": int(usable),
        "active": int(usable),
        "total": total,
        "used": used,
        "avail": total - used,
    }


@handles("GET", "/nodes/{node}/storage")
async def list_storages(call: Call) -> list[dict[str, Any]]:
    """The storages that a host knows, those of others too unless a kind of content is asked for:
    of one name, the enabled ones, or those that a second host reaches as well."""
    lab, params, name = call.lab, call.params, call.params.get("storage")
    node, target = params["node"], params.get("target")
    told = {
        storage: config
        for storage, config in lab.store.items("storage")
        if "content" not in params or _holds_any(config, node, split_list(params["content"]))
    }
    if name and name not in told:
        raise bad_parameter("storage", "No such storage.")
    if target and target != node:
        told = {key: each for key, each in told.items() if _on_both(each, node, target)}
    return [
        _listed(call, storage, config)
        for storage, config in told.items()
        if name in (None, storage)
        and not (params.get("enabled") and config.get("disable"))
        and lab.rights.has(call.user, f"/storage/{storage}", _SEE, one=True)
    ]


def _usable(config: Config, node: str) -> bool:
    return not config.get("disable") and definitions.on_node(config, node)


def _holds_any(config: Config, node: str, wanted: Iterable[str]) -> bool:
    return _usable(config, node) and not definitions.contents(config).isdisjoint(wanted)


def _on_both(config: Config, node: str, target: str) -> bool:
    there = definitions.on_node(config, node) and definitions.on_node(config, target)
    return there and definitions.is_shared(config)


def _listed(call: Call, storage: str, config: Config) -> dict[str, Any]:
    node = call.params["node"]
    row = {"storage": storage} | _status(call.lab, storage, config, node)
    if row["total"]:
        row["used_fraction"] = row["used"] / row["total"]
    if call.params.get("format") and _usable(config, node):
        supported = sorted(TYPES[config["type"]].formats) or ["raw"]
        first = definitions.default_format(config)
        row["format"] = [dict.fromkeys(supported, 1), first]
        row["formats"] = {"default": first, "supported": supported}
        if config["type"] in _TARGETS:
            row["select_existing"] = 1
    return row


@handles("GET", f"{STORAGE}/status")
async def read_status(call: Call) -> dict[str, Any]:
    """How full one storage is."""
    storage = call.params["storage"]
    config = call.lab.store.get("storage", storage)
    if config is None:
        raise bad_parameter("storage", "No such storage.")
    return _status(call.lab, storage, config, call.params["node"])
