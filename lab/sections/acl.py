"""Access control lists: who has which role on which path."""

from __future__ import annotations

import re
from typing import Any

from lab.auth import ROOT
from lab.call import Call
from lab.errors import bad_parameter, bad_parameters, failure
from lab.formats import split_list
from lab.routes import handles
from lab.store import Store

_NAME = r"[A-Za-z0-9.\-_]+"
_PATHS = re.compile(
    "|".join(
        (
            "/",
            "/access(/groups(/[^/]+)?|/realm(/[^/]+)?)?",
            f"/mapping(/(dir|pci|usb)(/{_NAME})?|/notifications(/{_NAME})?)?",
            f"/nodes(/{_NAME})?",
            f"/pool(/{_NAME}){{0,3}}",
            f"/sdn(/zones(/{_NAME}(/{_NAME}(/[1-9]\\d{{0,3}})?)?)?"
            f"|/(controllers|dns|fabrics|ipams)(/{_NAME})?)?",
            f"/storage(/{_NAME})?",
            r"/vms(/[1-9]\d{2,})?",
        )
    )
)
_NOBODY = " 'groups' or 'tokens' is required.,either 'users'"


def normal_path(text: str) -> str | None:
    """The path with one leading and no trailing slash, or None when there are no rights there."""
    path = "/" + "/".join(part for part in text.split("/") if part)
    return path if _PATHS.fullmatch(path) else None


def _path(call: Call) -> str:
    path = normal_path(call.params["path"])
    if path is None:
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
        if see_all or rights.has(call.user, entry["path"], ["Permissions.Modify"])
    ]


@handles("PUT", "/access/acl")
async def change_acl(call: Call) -> Any:
    """Add entries for every pair of role and holder, or with `delete` remove them."""
    if not any(name in call.params for name in ("users", "groups", "tokens")):
        raise bad_parameters(dict.fromkeys(("users", "groups", "tokens"), _NOBODY))
    store, path = call.lab.store, _path(call)
    holders = [
        (kind, name)
        for kind in ("group", "user", "token")
        for name in split_list(call.params.get(f"{kind}s", ""))
    ]
    for role in split_list(call.params["roles"]):
        if call.lab.rights.role(role) is None:
            raise failure(f"ACL update failed: role '{role}' does not exist")
        for kind, name in holders:
            _check_holder(store, kind, name)
            key = f"{path} {kind} {name} {role}"
            if call.params.get("delete"):
                store.delete("acl", key)
            elif name != ROOT:  # root has all rights anyway, so the entry is dropped silently
                propagate = call.params.get("propagate", 1)
                store.put("acl", key, _entry(path, kind, name, role, propagate))


def _entry(path: str, kind: str, name: str, role: str, propagate: int) -> dict[str, Any]:
    return {"path": path, "type": kind, "ugid": name, "roleid": role, "propagate": propagate}


def _check_holder(store: Store, kind: str, name: str) -> None:
    if store.get(kind, name) is not None:
        return
    user, _, token = name.partition("!")
    if kind == "token" and store.get("user", user) is not None:
        raise failure(f"ACL update failed: no such token '{token}' for user '{user}'")
    if kind == "token":
        raise failure(f"ACL update failed: user '{user}' does not exist")
    raise failure(f"ACL update failed: {kind} '{name}' does not exist")
