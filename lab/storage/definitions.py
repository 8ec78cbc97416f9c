"""Entries of storage.cfg as guests and volumes need them: where, what for, on which hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.errors import failure
from lab.sections.storage_types import TYPES
from lab.storage.names import DIRECTORY_TYPES, SHARED_TYPES, parse_name, parse_volume_id

if TYPE_CHECKING:
    from lab.app import Lab

FOLDERS = {
    "images": "images",
    "rootdir": "private",
    "iso": "template/iso",
    "vztmpl": "template/cache",
    "backup": "dump",
    "snippets": "snippets",
    "import": "import",
}
_SEPARATOR = re.compile(r"[,;\s]+")
Config = dict[str, Any]


def members(value: Any) -> frozenset[str]:
    """The members of a comma list (`content`, `nodes`) of a storage."""
    if not value:
        return frozenset()
    words = value if isinstance(value, list) else _SEPARATOR.split(str(value))
    return frozenset(filter(None, words))


def storage_config(lab: Lab, storage: str, node: str | None = None) -> Config:
    """A storage's configuration; 500 when there is none, or when it is not usable on `node`."""
    config = lab.store.get("storage", storage)
    if config is None:
        raise failure(f"storage '{storage}' does not exist")
    if node is not None:
        if config.get("disable"):
            raise failure(f"storage '{storage}' is disabled")
        if not on_node(config, node):
            raise failure(f"storage '{storage}' is not available on node '{node}'")
    return config


def on_node(config: Config, node: str) -> bool:
    """Whether the storage is defined for a host."""
    nodes = members(config.get("nodes"))
    return not nodes or node in nodes


def is_shared(config: Config) -> bool:
    """Whether all hosts see the same volumes."""
    return bool(config.get("shared")) or config["type"] in SHARED_TYPES


def has_path(config: Config) -> bool:
    """Whether volumes are files in folders."""
    return config["type"] in DIRECTORY_TYPES


def contents(config: Config) -> frozenset[str]:
    """The kinds of content the storage may hold."""
    return members(config.get("content")) or members(TYPES[config["type"]].content)


def formats(config: Config) -> tuple[str, ...]:
    """The formats of disks it can hold, the default first."""
    if config["type"] == "zfspool":
        return ("raw", "subvol")
    if not has_path(config):
        return ("raw",)
    first = default_format(config)
    return (first, *(kind for kind in ("raw", "qcow2", "vmdk", "subvol") if kind != first))


def default_format(config: Config) -> str:
    """The format of a disk for which none is asked."""
    return str(config.get("format") or "raw")


def folder(storage: str, config: Config, content: str) -> str:
    """The folder of one kind of content as messages name it, on a storage with a path."""
    root = config.get("path") or f"/mnt/pve/{storage}"
    return f"{root}/{own_folders(config).get(content, FOLDERS[content])}"


def own_folders(config: Config) -> dict[str, str]:
    """The folders, by kind of content, that a storage names itself (`content-dirs`)."""
    pairs = (each.partition("=") for each in members(config.get("content-dirs")))
    return {kind: path for kind, _, path in pairs}


def location(lab: Lab, volume_id: str) -> str:
    """The path of a volume on its host, as messages and the volume's description name it."""
    storage, name = parse_volume_id(volume_id)
    config = storage_config(lab, storage)
    parsed = parse_name(config["type"], name)
    if not has_path(config):
        group = config.get("vgname") or config.get("pool") or storage
        return f"/dev/{group}/{parsed.name}"
    root = folder(storage, config, parsed.content)
    if parsed.content == "images":
        return f"{root}/{parsed.vmid}/{parsed.name}"
    return f"{root}/{parsed.name}"


def volume_id_of_path(lab: Lab, path: str) -> str | None:
    """The volume id of a path below the folder of some storage, or None."""
    for storage, config in lab.store.items("storage"):
        if not has_path(config):
            continue
        for content in FOLDERS:
            root = folder(storage, config, content)
            if path.startswith(f"{root}/"):
                rest = path[len(root) + 1 :]
                return f"{storage}:{rest}" if content == "images" else f"{storage}:{content}/{rest}"
    return None
