"""Definitions of storages: what is where, on which hosts, for which content."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import secrets
import time
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import failure
from lab.formats import split_list
from lab.routes import handles
from lab.section_file import check_lines, filled, within
from lab.sections.storage_types import TYPES, StorageType
from lab.storage import definitions
from lab.storage.names import SHARED_TYPES
from lab.store import Store, Value

# Kept beside the options: the size that the status tells, from the seed.
_OWN = ("sizeGib",)
# Secrets are not told; of these two, that there is one, and an encryption key's fingerprint.
_TOLD = ("encryption-key", "master-pubkey")
_NO_KEY = "Value does not seems like a valid, JSON formatted encryption key!"
_KEY_FIRST = "'master-pubkey' can only be used together with 'encryption-key'"
_LVM_PLACE = " at /usr/share/perl5/PVE/Storage/LVMPlugin.pm line 1."
_PATH = re.compile(r"/[-/a-zA-Z0-9_.@]+")
_IS_BASE = (
    "delete storage failed: can't remove storage - storage is used as base of another storage"
)
_ZFS_PLACE = " at /usr/share/perl5/PVE/Storage/ZFSPlugin.pm line 1."
# Where a server has its volumes that cannot be asked for it.
_ZFS_BASE = {
    "comstar": "/dev/zvol/rdsk", "istgt": "/dev/zvol", "iet": "/dev/zvol", "LIO": "/dev/zvol"
}  # fmt: skip
_META = ("storage", "type", "digest", "delete")


def _find(store: Store, name: str, prefix: str = "") -> Value:
    found = store.get("storage", name)
    if found is None:
        raise failure(f"{prefix}storage '{name}' does not exist")
    return found


def _file(store: Store) -> dict[str, Value]:
    return dict(store.items("storage"))


def _shown(call: Call, name: str, row: Value) -> dict[str, Any]:
    kind = TYPES[row["type"]]
    hidden = (*_OWN, *kind.secrets)
    answer = {key: value for key, value in row.items() if key not in hidden and value != ""}
    answer |= {key: _told(row[key]) for key in _TOLD if key in row and key in kind.secrets}
    answer.setdefault("content", kind.content)
    if row["type"] in SHARED_TYPES:
        answer["shared"] = 1
    if folders := definitions.own_folders(row):
        answer["content-dirs"] = folders
    return {"storage": name, **answer, "digest": digest_of(_file(call.lab.store))}


def _told(secret: str) -> str:
    try:
        return str(json.loads(secret).get("fingerprint") or "1")
    except (ValueError, AttributeError):
        return "1"


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
    if "format" in values and values["format"] not in kind.formats:
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
    check_lines(_without_secrets(call.params, TYPES[kind]))
    values = _given(call.params, TYPES[kind])
    for option in sorted(TYPES[kind].required - values.keys()):
        raise failure(f"missing value for required option '{option}'")
    if kind in ("dir", "btrfs"):
        if not _PATH.fullmatch(values["path"]):
            raise failure(f"illegal path for directory storage: {values['path']}")
        values["path"] = posixpath.normpath(values["path"])
    if TYPES[kind].mounted:
        values.setdefault("path", f"/mnt/pve/{name}")
    with within("create storage failed"):
        if call.lab.store.get("storage", name) is not None:
            raise failure(f"storage ID '{name}' already defined")
        _check_new(call, name, kind, values)
    call.lab.store.put("storage", name, {"type": kind, **filled(values)})
    return {"storage": name, "type": kind} | _returned(kind, values)


def _without_secrets(params: dict[str, Any], kind: StorageType) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in kind.secrets}


def _check_new(call: Call, name: str, kind: str, values: dict[str, Any]) -> None:
    """500 for what only shows when the storage is added and made ready."""
    if kind == "esxi" and "password" not in values:
        raise failure("missing password")
    if kind == "pbs":
        _check_keys(values)
    if kind == "zfs" and not values.get("zfs-base-path"):
        if values["iscsiprovider"] not in _ZFS_BASE:
            text = f"unknown iscsi provider. Available [{', '.join(_ZFS_BASE)}]"
            raise failure(f"{values['iscsiprovider']}: {text}{_ZFS_PLACE}")
        values["zfs-base-path"] = _ZFS_BASE[values["iscsiprovider"]]
    if kind == "lvm" and (base := values.get("base")):
        config = call.lab.store.get("storage", base.partition(":")[0])
        if config is None:
            raise failure(f"base storage ID '{base.partition(':')[0]}' does not exist")
        if config["type"] != "iscsi":
            raise failure(f"unsupported base type '{config['type']}'{_LVM_PLACE}")
    used = any(definitions.on_node(values, node["name"]) for node in call.lab.nodes())
    if kind in ("dir", "btrfs") and used and not values.get("disable"):
        _check_folders(name, kind, values)


def _check_keys(values: dict[str, Any], old: dict[str, Any] | None = None) -> None:
    """Make the key that is asked for; 500 for keys of a backup server that cannot be used."""
    key = values.get("encryption-key")
    if key == "autogen":
        key = values["encryption-key"] = _new_key()
    if key is not None and not _is_key(key):
        raise failure(_NO_KEY)
    if old is None and "master-pubkey" in values and key is None:
        raise failure(_KEY_FIRST)


def _new_key() -> str:
    """A key as the backup client makes it, without a password of its own."""
    secret, now = secrets.token_bytes(32), time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    key = {
        "kdf": None,
        "created": now,
        "modified": now,
        "data": base64.b64encode(secret).decode(),
        "fingerprint": hashlib.sha256(secret).digest()[:8].hex(":"),
    }
    return json.dumps(key)


def _is_key(text: str) -> bool:
    try:
        return "data" in json.loads(text)
    except (ValueError, TypeError):
        return False


def _check_folders(name: str, kind: str, values: dict[str, Any]) -> None:
    """500 when a storage has no folder for a kind of content, or one for several."""
    row = {"type": kind, **values}
    seen: set[str] = set()
    for content in sorted(definitions.contents(row)):
        if content == "none":
            raise failure("unknown vtype 'none'")
        folder = posixpath.normpath(definitions.folder(name, row, content))
        if folder in seen:
            text = f"storage '{name}' uses directory {folder} for multiple content types"
            raise failure(text)
        seen.add(folder)


def _returned(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """What the answer to a change of a backup server's storage has besides: a new key."""
    if kind != "pbs":
        return {}
    key = values.get("encryption-key")
    return {"config": {} if key is None else {"encryption-key": key}}


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
        check_lines(_without_secrets(call.params, kind))
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
    if row["type"] == "pbs":
        with within("update storage failed"):
            _check_keys(values, row)
    kept = {option: value for option, value in row.items() if option not in gone}
    new = filled({**kept, **values})
    if name == "local":
        new.pop("nodes", None)  # that storage is on every host
    store.put("storage", name, new)
    return {"storage": name, "type": row["type"]} | _returned(row["type"], values)


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
