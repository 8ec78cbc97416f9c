"""Storages as a host sees them: which there are, how full, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import bad_parameter
from lab.formats import split_list
from lab.routes import handles
from lab.storage import definitions
from lab.storage.definitions import Config, storage_config

if TYPE_CHECKING:
    from lab.app import Lab

GIB = 1024**3
DEFAULT_GIB = 100
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
    usable = not config.get("disable") and definitions.on_node(config, node)
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
    """The storages of a host, of one name, of one kind of content, or the enabled ones."""
    lab, params = call.lab, call.params
    node, wanted = params["node"], set(split_list(params.get("content", "")))
    target = params.get("target")
    if "storage" in params and lab.store.get("storage", params["storage"]) is None:
        raise bad_parameter("storage", "No such storage.")
    rows = []
    for storage, config in lab.store.items("storage"):
        if params.get("storage") not in (None, storage) or not definitions.on_node(config, node):
            continue
        if wanted and not wanted & definitions.contents(config):
            continue
        if target and not (definitions.is_shared(config) and definitions.on_node(config, target)):
            continue
        if params.get("enabled") and config.get("disable"):
            continue
        rows.append(_listed(call, storage, config))
    return rows


def _listed(call: Call, storage: str, config: Config) -> dict[str, Any]:
    row = {"storage": storage} | _status(call.lab, storage, config, call.params["node"])
    if row["total"]:
        row["used_fraction"] = row["used"] / row["total"]
    if call.params.get("format"):
        formats = definitions.formats(config)
        row["format"] = [formats[0], dict.fromkeys(formats, 1)]
        row["formats"] = {"default": formats[0], "supported": list(formats)}
    return row


@handles("GET", f"{STORAGE}/status")
async def read_status(call: Call) -> dict[str, Any]:
    """How full one storage is."""
    storage = call.params["storage"]
    config = call.lab.store.get("storage", storage)
    if config is None:
        raise bad_parameter("storage", "No such storage.")
    return _status(call.lab, storage, config, call.params["node"])
