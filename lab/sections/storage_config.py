"""Definitions of storages: what is where, on which hosts, for which content."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import failure
from lab.formats import split_list
from lab.routes import handles
from lab.section_file import check_lines, filled, within
from lab.sections.storage_types import TYPES, StorageType
from lab.store import Store, Value

# Kept beside the options: the size that the status tells, from the seed.
_OWN = ("sizeGib",)
_SECRET = ("password", "encryption-key", "keyring", "master-pubkey")
_PATH = re.compile(r"/[-/a-zA-Z0-9_.@]+")
_IS_BASE = (
    "delete storage failed: can't remove storage - storage is used as base of another storage"
)
_META = ("storage", "type", "digest", "delete")


def _find(store: Store, name: str, prefix: str = "") -> Value:
    found = store.get("storage", name)
    if found is None:
        raise failure(f"{prefix}storage '{name}' does not exist")
    return found


def _file(store: Store) -> dict[str, Value]:
    return dict(store.items("storage"))


def _shown(call: Call, name: str, row: Value) -> dict[str, Any]:
    hidden = (*_OWN, *_SECRET)
    answer = {key: value for key, value in row.items() if key not in hidden and value != ""}
    answer.setdefault("content", TYPES[row["type"]].content)
    return {"storage": name, **answer, "digest": digest_of(_file(call.lab.store))}


@handles("GET", "/storage")
async def list_storages(call: Call) -> Any:
    """Definitions of storages on which the caller has any right, of one type if asked for."""
    names = ["Datastore.Audit", "Datastore.AllocateSpace"]
    wanted = call.params.get("type")
    return [
        _shown(call, name, row)
        for name, row in call.lab.store.items("storage")
        if wanted in (None, row["type"])
        and call.lab.rights.has(call.user, f"/storage/{name}", names, one=True)
    ]


@handles("GET", "/storage/{storage}")
async def read_storage(call: Call) -> Any:
    """One definition."""
    name = call.params["storage"]
    return _shown(call, name, _find(call.lab.store, name))


def _given(params: dict[str, Any], kind: StorageType) -> dict[str, Any]:
    """Options of a call as they are kept: sets sorted and without doubles, without what the type
    cannot hold, the rest as texts and numbers."""
    values = {name: value for name, value in params.items() if name not in _META}
    if "content" in values:
        values["content"] = ",".join(sorted(_contents(values["content"], kind)))
    if values.get("format", "raw") not in kind.formats:
        del values["format"]
    if "nodes" in values:
        values["nodes"] = ",".join(sorted(set(split_list(values["nodes"]))))
    if "content-dirs" in values:
        folders = split_list(values["content-dirs"])
        known = [each for each in folders if each.partition("=")[0] in kind.holds]
        values["content-dirs"] = ",".join(known)
    return values


def _contents(text: str, kind: StorageType) -> set[str]:
    """The kinds of content in a list that a type can hold; what it cannot is left out."""
    found = set(split_list(text)) & kind.holds
    if "none" in found and len(found) > 1:
        raise failure("unable to combine 'none' with other content types")
    if not found and "none" not in kind.holds:
        raise failure("storage does not support content type 'none'")
    return found


@handles("POST", "/storage")
async def create_storage(call: Call) -> Any:
    """A new definition; the options have to fit its type."""
    name, kind = call.params["storage"], call.params["type"]
    for option in call.params:
        if option not in TYPES[kind].known and option not in _META:
            raise failure(f"unexpected property '{option}'")
    check_lines(call.params)
    values = _given(call.params, TYPES[kind])
    for option in sorted(TYPES[kind].required - values.keys()):
        raise failure(f"missing value for required option '{option}'")
    if kind in ("dir", "btrfs"):
        if not _PATH.fullmatch(values["path"]):
            raise failure(f"illegal path for directory storage: {values['path']}")
        values["path"] = posixpath.normpath(values["path"])
    if call.lab.store.get("storage", name) is not None:
        raise failure(f"create storage failed: storage ID '{name}' already defined")
    if TYPES[kind].mounted:
        values.setdefault("path", f"/mnt/pve/{name}")
    if kind in ("dir", "btrfs") and values.get("content") == "none":
        raise failure("create storage failed: unknown vtype 'none'")
    call.lab.store.put("storage", name, {"type": kind, **filled(values)})
    return {"storage": name, "type": kind}


@handles("PUT", "/storage/{storage}")
async def change_storage(call: Call) -> Any:
    """Change and delete options."""
    prefix, name, store = "update storage failed: ", call.params["storage"], call.lab.store
    check_digest(call.params.get("digest"), _file(store), prefix)
    row = _find(store, name, prefix)
    kind = TYPES[row["type"]]
    for option in call.params:
        if option in kind.fixed:
            raise failure(f"{prefix}can't change value of fixed parameter '{option}'")
        if option not in kind.known and option not in _META:
            raise failure(f"{prefix}unexpected property '{option}'")
    with within("update storage failed"):
        check_lines(call.params)
        values = _given(call.params, kind)
    gone = split_list(call.params.get("delete", ""))
    for option in gone:
        if option in kind.required:
            raise failure(f"{prefix}unable to delete required option '{option}'")
        if option not in kind.known:
            raise failure(f"{prefix}no such option '{option}'")
        if option in kind.fixed:
            raise failure(f"{prefix}unable to delete fixed option '{option}'")
        if option in values:
            raise failure(f"{prefix}cannot set and delete property '{option}' at the same time!")
    kept = {option: value for option, value in row.items() if option not in gone}
    store.put("storage", name, filled({**kept, **values}))
    return {"storage": name, "type": row["type"]}


@handles("DELETE", "/storage/{storage}")
async def delete_storage(call: Call) -> Any:
    """Remove a definition, its rights and its places in pools; what is on the storage stays."""
    name, store = call.params["storage"], call.lab.store
    _find(store, name, "delete storage failed: ")
    if any(str(row.get("base", "")).startswith(f"{name}:") for _, row in store.items("storage")):
        raise failure(_IS_BASE)
    for key, entry in store.items("acl"):
        if entry["path"] == f"/storage/{name}":
            store.delete("acl", key)
    for key, pool in store.items("pool"):
        if name in pool["storage"]:
            rest = [member for member in pool["storage"] if member != name]
            store.put("pool", key, {**pool, "storage": rest})
    store.delete("storage", name)
