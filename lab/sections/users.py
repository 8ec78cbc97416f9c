"""Users, groups and roles."""

from __future__ import annotations

from typing import Any

from lab.auth import ROOT
from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.roles import BUILT_IN_ROLES
from lab.routes import handles
from lab.sections.tokens import kept_text, tokens_of
from lab.store import Store, Value

# In the file of users these stand behind the address, whose place is then there, if empty.
_BEHIND_EMAIL = frozenset({"comment", "keys"})
_SHOWN = ("enable", "expire", "comment", "email", "firstname", "lastname", "keys")
_REALM_TYPES = {"pam": "pam", "pve": "pve"}


def find_user(store: Store, user: str, prefix: str = "") -> Value:
    """The account; 500 when there is none."""
    found = store.get("user", user)
    if found is None:
        raise failure(f"{prefix}no such user ('{user}')")
    return found


def _groups_of(store: Store, user: str) -> list[str]:
    return sorted(name for name, group in store.items("group") if user in group["users"])


def _set_groups(store: Store, user: str, wanted: list[str]) -> None:
    for name, group in store.items("group"):
        others = [member for member in group["users"] if member != user]
        users = [*others, user] if name in wanted else others
        if sorted(users) != sorted(group["users"]):
            store.put("group", name, {**group, "users": users})


def _check_groups(store: Store, wanted: list[str], prefix: str) -> None:
    for name in wanted:
        if store.get("group", name) is None:
            raise failure(f"{prefix}no such group '{name}'")


def _values(params: dict[str, Any]) -> dict[str, Any]:
    """What is given of an account, without blanks around it, as its file keeps it."""
    given = {name: params[name] for name in _SHOWN if name in params}
    return {name: kept_text(v) if isinstance(v, str) else v for name, v in given.items()}


def _filled(row: Value) -> dict[str, Any]:
    """Without what is empty, except for the two that always have a value."""
    kept = {name: value for name, value in row.items() if value != ""}
    if not kept.keys().isdisjoint(_BEHIND_EMAIL):
        kept.setdefault("email", "")
    return {"enable": 1, "expire": 0} | kept


@handles("GET", "/access/users")
async def list_users(call: Call) -> Any:
    """Accounts the caller may see: all with the right to audit them, else their own."""
    rights, store = call.lab.rights, call.lab.store
    found = []
    for user, row in store.items("user"):
        if "enabled" in call.params and bool(row.get("enable", 1)) != bool(call.params["enabled"]):
            continue
        names = ["User.Modify", "Sys.Audit"]
        paths = ["/access/groups", *(f"/access/groups/{g}" for g in _groups_of(store, user))]
        if user == call.user or any(rights.has(call.user, p, names, one=True) for p in paths):
            found.append(_listed(call, user, row))
    return found


def _listed(call: Call, user: str, row: Value) -> dict[str, Any]:
    shown = {"userid": user, "realm-type": realm_type(call, user), **_filled(row)}
    if call.params.get("full"):
        shown["groups"] = ",".join(_groups_of(call.lab.store, user))
        tokens = tokens_of(call.lab.store, user)
        shown["tokens"] = [{"tokenid": n, **token} for n, token in tokens.items()] or None
    return {name: value for name, value in shown.items() if name != "realm-type" or value}


@handles("POST", "/access/users")
async def create_user(call: Call) -> Any:
    """A new account, in any realm, with its place in groups."""
    store, user, prefix = call.lab.store, call.params["userid"], "create user failed: "
    if store.get("user", user) is not None:
        raise failure(f"{prefix}user '{user}' already exists")
    if "password" in call.params:
        check_realm(call, user, prefix)
    wanted = split_list(call.params.get("groups", ""))
    _check_groups(store, wanted, prefix)
    store.put("user", user, _filled(_values(call.params)))
    _set_groups(store, user, wanted)
    if "password" in call.params:
        call.lab.authority.set_password(user, call.params["password"])


def realm_type(call: Call, user: str) -> str | None:
    """The kind of realm an account is of; None for a realm that is not defined."""
    realm = user.rpartition("@")[2]
    found = call.lab.store.get("realm", realm)
    return _REALM_TYPES.get(realm) or (str(found["type"]) if found else None)


def check_realm(call: Call, user: str, prefix: str = "") -> None:
    """500 for an account in whose realm no passwords are kept."""
    kind = realm_type(call, user)
    if kind is None:
        raise failure(f"{prefix}auth domain '{user.rpartition('@')[2]}' does not exist")
    if kind not in _REALM_TYPES:
        raise failure(f"{prefix}can't set password on auth type '{kind}'")


@handles("GET", "/access/users/{userid}")
async def read_user(call: Call) -> Any:
    """One account with its groups and tokens."""
    store, user = call.lab.store, call.params["userid"]
    row = find_user(store, user)
    tokens = tokens_of(store, user)
    return {**_filled(row), "groups": _groups_of(store, user), "tokens": tokens or None}


@handles("PUT", "/access/users/{userid}")
async def change_user(call: Call) -> Any:
    """Change an account; `append` keeps the groups it is in."""
    store, user, prefix = call.lab.store, call.params["userid"], "update user failed: "
    row = find_user(store, user, prefix)
    if "groups" in call.params:
        wanted = split_list(call.params["groups"])
        _check_groups(store, wanted, prefix)
        kept = _groups_of(store, user) if call.params.get("append") else []
        _set_groups(store, user, [*kept, *wanted])
    store.put("user", user, _filled({**row, **_values(call.params)}))


@handles("DELETE", "/access/users/{userid}")
async def delete_user(call: Call) -> Any:
    """Remove an account with its tokens, rights and places in groups; an absent one is fine."""
    store, user = call.lab.store, call.params["userid"]
    if user == ROOT:
        raise failure("delete user failed: you can't delete the super user")
    _set_groups(store, user, [])
    for token in tokens_of(store, user):
        store.delete("token", f"{user}!{token}")
    for key, entry in store.items("acl"):
        if entry["type"] != "group" and entry["ugid"].partition("!")[0] == user:
            store.delete("acl", key)
    store.delete("password", user)
    store.delete("user", user)


@handles("GET", "/access/groups")
async def list_groups(call: Call) -> Any:
    """Groups the caller may see, with their members as a comma list."""
    names = ["User.Modify", "Sys.Audit", "Group.Allocate"]
    return [
        {"groupid": name, "users": ",".join(group["users"]), **_comment(group)}
        for name, group in call.lab.store.items("group")
        if call.lab.rights.has(call.user, f"/access/groups/{name}", names, one=True)
    ]


def _comment(row: Value) -> dict[str, Any]:
    return {"comment": row["comment"]} if row.get("comment") else {}


@handles("POST", "/access/groups")
async def create_group(call: Call) -> Any:
    """A new, empty group."""
    name = call.params["groupid"]
    if call.lab.store.get("group", name) is not None:
        raise failure(f"create group failed: group '{name}' already exists")
    call.lab.store.put(
        "group", name, {"users": [], "comment": kept_text(call.params.get("comment", ""))}
    )


def _find_group(call: Call, prefix: str = "") -> Value:
    name = call.params["groupid"]
    found = call.lab.store.get("group", name)
    if found is None:
        raise failure(f"{prefix}group '{name}' does not exist")
    return found


@handles("GET", "/access/groups/{groupid}")
async def read_group(call: Call) -> Any:
    """A group and its members."""
    group = _find_group(call)
    return {"members": group["users"], **_comment(group)}


@handles("PUT", "/access/groups/{groupid}")
async def change_group(call: Call) -> Any:
    """Change the comment."""
    group = _find_group(call, "update group failed: ")
    if "comment" in call.params:
        row = {**group, "comment": kept_text(call.params["comment"])}
        call.lab.store.put("group", call.params["groupid"], row)


@handles("DELETE", "/access/groups/{groupid}")
async def delete_group(call: Call) -> Any:
    """Remove a group and its rights."""
    _find_group(call, "delete group failed: ")
    _drop_entries(call.lab.store, kind="group", ugid=call.params["groupid"])
    call.lab.store.delete("group", call.params["groupid"])


def _drop_entries(store: Store, **values: str) -> None:
    names = {"kind": "type", "ugid": "ugid", "roleid": "roleid"}
    for key, entry in store.items("acl"):
        if all(entry[names[name]] == value for name, value in values.items()):
            store.delete("acl", key)


@handles("GET", "/access/roles")
async def list_roles(call: Call) -> Any:
    """All roles; `special` marks those that cannot be changed."""
    built_in = [
        {"roleid": name, "privs": ",".join(privs), "special": 1}
        for name, privs in BUILT_IN_ROLES.items()
    ]
    own = [
        {"roleid": name, "privs": ",".join(role["privs"]), "special": 0}
        for name, role in call.lab.store.items("role")
    ]
    return [*built_in, *own]


@handles("POST", "/access/roles")
async def create_role(call: Call) -> Any:
    """A new role; names that begin with PVE are the program's own."""
    name = call.params["roleid"]
    if name.upper().startswith("PVE"):
        raise bad_parameter(
            "roleid", "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"
        )
    if call.lab.rights.role(name) is not None:
        raise failure(f"create role failed: role '{name}' already exists")
    privs = sorted(set(split_list(call.params.get("privs", ""))))
    call.lab.store.put("role", name, {"privs": privs})


@handles("GET", "/access/roles/{roleid}")
async def read_role(call: Call) -> Any:
    """The privileges of a role, each with 1."""
    found = call.lab.rights.role(call.params["roleid"])
    if found is None:
        raise failure(f"role '{call.params['roleid']}' does not exist")
    return dict.fromkeys(found, 1)


def _find_own_role(call: Call, verb: str) -> Value:
    name = call.params["roleid"]
    if name in BUILT_IN_ROLES:
        raise failure(f"auto-generated role '{name}' cannot be {verb}")
    found = call.lab.store.get("role", name)
    if found is None:
        action = {"modified": "update", "deleted": "delete"}[verb]
        raise failure(f"{action} role failed: role '{name}' does not exist")
    return found


@handles("PUT", "/access/roles/{roleid}")
async def change_role(call: Call) -> Any:
    """Replace the privileges, or with `append` add to them."""
    role = _find_own_role(call, "modified")
    kept = role["privs"] if call.params.get("append") else []
    privs = sorted({*kept, *split_list(call.params.get("privs", ""))})
    call.lab.store.put("role", call.params["roleid"], {"privs": privs})


@handles("DELETE", "/access/roles/{roleid}")
async def delete_role(call: Call) -> Any:
    """Remove a role and the entries that gave it."""
    _find_own_role(call, "deleted")
    _drop_entries(call.lab.store, roleid=call.params["roleid"])
    call.lab.store.delete("role", call.params["roleid"])
