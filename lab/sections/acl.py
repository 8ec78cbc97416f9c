"""Access control lists: who has which role on which path."""

from __future__ import annotations

import itertools
import re
from typing import Any

from lab.auth import ROOT
from lab.call import Call
from lab.errors import ApiError, bad_parameter, bad_parameters, failure
from lab.formats import split_list
from lab.rights import normal_path
from lab.routes import handles
from lab.store import Store

_NAME = r"[A-Za-z0-9.\-_]+"
_WORD = "[A-Za-z0-9]+"
_PATHS = re.compile(
    "|".join(
        (
            "/",
            f"/access(/groups(/{_NAME})?|/realm(/{_NAME})?)?",
            f"/mapping(/{_NAME}(/{_NAME})?)?",
            f"/nodes(/{_NAME})?",
            f"/pool(/{_NAME}){{0,3}}",
            f"/sdn(/zones(/{_NAME}(/{_NAME}(/[1-9]\\d{{0,3}})?)?)?"
            f"|/controllers(/[A-Za-z0-9_\\-]+)?"
            f"|/(dns|fabrics|ipams|prefix-lists|route-maps)(/{_WORD})?)?",
            f"/storage(/{_NAME})?",
            r"/vms(/[1-9]\d{2,})?",
        )
    ),
    re.ASCII,
)
_NOBODY = " 'groups' or 'tokens' is required.,either 'users'"


def is_known(path: str) -> bool:
    """Whether there are rights on a path."""
    return bool(_PATHS.fullmatch(path))


def _path(call: Call) -> str:
    """Where the entry is; an entry may be removed where none could be made."""
    path = normal_path(call.params["path"])
    if path is None or not (call.params.get("delete") or is_known(path)):
        raise bad_parameter("path", f"invalid ACL path '{call.params['path']}'")
    return path


@handles("GET", "/access/acl")
async def list_acl(call: Call) -> Any:
    """All entries for those who may audit access, else those on paths one may change."""
    rights = call.lab.rights
    see_all = rights.has(call.user, "/access", ["Sys.Audit"])
    return [
        entry
        for _, entry in call.lab.store.items("acl")
        if see_all or rights.may_modify(call.user, entry["path"])
    ]


@handles("PUT", "/access/acl")
async def change_acl(call: Call) -> Any:
    """Add entries for every pair of role and holder, or with `delete` remove them; all or none."""
    if not any(call.params.get(name) for name in ("users", "groups", "tokens")):
        raise bad_parameters(dict.fromkeys(("users", "groups", "tokens"), _NOBODY))
    store, path = call.lab.store, _path(call)
    holders = [
        (kind, name)
        for kind in ("group", "user", "token")
        for name in split_list(call.params.get(f"{kind}s", ""))
    ]
    roles = split_list(call.params["roles"])
    for role in roles:
        if call.lab.rights.role(role) is None:
            raise failure(f"ACL update failed: role '{role}' does not exist")
        _check_superset(call, path, role)
        for kind, name in holders:
            _check_holder(store, kind, name)
    for role, (kind, name) in itertools.product(roles, holders):
        key = f"{path} {kind} {name} {role}"
        if call.params.get("delete"):
            store.delete("acl", key)
        elif name != ROOT:  # root has all rights anyway, so the entry is dropped silently
            propagate = call.params.get("propagate", 1)
            store.put("acl", key, _entry(path, kind, name, role, propagate))


def _check_superset(call: Call, path: str, role: str) -> None:
    """Who may change rights only by a narrower privilege hands out no more than they have."""
    held = call.lab.rights.on(call.user, path)
    if "Permissions.Modify" in held:
        return
    removed, propagate = call.params.get("delete"), call.params.get("propagate", 1)
    head = f"Cannot {'remove' if removed else 'add'} role '{role}'"
    for name in call.lab.rights.role(role) or ():
        if name not in held:
            raise _wrapped(f"{head} - requires 'Permissions.Modify' or superset of privileges.")
        if propagate and not held[name] and not removed:
            raise _wrapped(
                f"{head} with propagation - requires 'Permissions.Modify' or propagated "
                "superset of privileges."
            )
    if role == "NoAccess":
        raise _wrapped(f"{head} - requires 'Permissions.Modify'")


def _wrapped(text: str) -> ApiError:
    """A fault of parameters found under the lock: it comes as 500, with its status in the text."""
    return failure(f"ACL update failed: 400 Parameter verification failed.\nrole: {text}\n")


def _entry(path: str, kind: str, name: str, role: str, propagate: int) -> dict[str, Any]:
    return {"path": path, "type": kind, "ugid": name, "roleid": role, "propagate": propagate}


def _check_holder(store: Store, kind: str, name: str) -> None:
    if store.get(kind, name) is not None:
        return
    user, _, token = name.partition("!")
    if kind != "token":
        raise failure(f"ACL update failed: {kind} '{name}' does not exist")
    if store.get("user", user) is None:
        raise failure(f"ACL update failed: no such user ('{user}')")
    raise failure(f"ACL update failed: no such token '{token}' for user '{user}'")
