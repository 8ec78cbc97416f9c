"""What a user may do where: access control lists, roles, pools, and the checks of methods.

Rules as Proxmox VE has them: rights come from the deepest level of a path at which the user has
an entry, an entry of the user wins over those of their groups at the same level, entries reach
below their path only when they propagate, `NoAccess` takes everything, a guest or storage in a
pool also has the rights on the pool, and a token with separated privileges has only what both
it and its user have.
"""

from __future__ import annotations

import re
from typing import Any

from lab.auth import ROOT
from lab.errors import ApiError, failure, forbidden
from lab.formats import check_format, split_list
from lab.roles import BUILT_IN_ROLES, PRIVILEGES
from lab.store import Store

Privileges = dict[str, int]
_NO_ACCESS = "NoAccess"
_ALL: Privileges = dict.fromkeys(PRIVILEGES, 1)


class Rights:
    """Answers about privileges, from the store; what does not change between two writes to the
    lists is worked out once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stamp = -1
        self._direct: dict[tuple[str, str], dict[str, int]] = {}
        self._pools: tuple[int, dict[str, str]] = (-1, {})

    def on(self, user: str, path: str) -> Privileges:
        """The privileges of a user or token on a path; the value says whether they propagate."""
        if user == ROOT:
            return _ALL
        account, _, name = user.partition("!")
        if not name:
            return self._with_pool(user, path)
        token = self._store.get("token", user)
        if token is None:
            return {}
        of_account = self.on(account, path)
        if not token.get("privsep", 1):
            return of_account
        own = self._with_pool(user, path)
        return {name: of_account[name] & flag for name, flag in own.items() if name in of_account}

    def unlimited(self, user: str) -> bool:
        """Whether nothing is hidden from the user: root, or a token with all of root's rights."""
        if user == ROOT:
            return True
        token = self._store.get("token", user) if user.startswith(f"{ROOT}!") else None
        return token is not None and not token.get("privsep", 1)

    def _with_pool(self, user: str, path: str) -> Privileges:
        """What the lists say about a path and the pool that it is in. `NoAccess` from either wins;
        what comes from the pool does not propagate."""
        roles = self._listed(user, path)
        pool = self._pool_of(path)
        of_pool = self._listed(user, f"/pool/{pool}") if pool is not None else {}
        if _NO_ACCESS in roles or _NO_ACCESS in of_pool:
            return {}
        return self._privileges({**dict.fromkeys(of_pool, 0), **roles} if of_pool else roles)

    def _listed(self, user: str, path: str) -> dict[str, int]:
        """The roles that the lists give on a path alone, kept until the lists change."""
        stamp = self._store.generation_of("acl", "group", "role")
        if stamp != self._stamp:
            self._direct, self._stamp = {}, stamp
        key = (user, path)
        if key not in self._direct:
            self._direct[key] = self._roles(user, path)
        return self._direct[key]

    def _privileges(self, roles: dict[str, int]) -> Privileges:
        found: Privileges = {}
        for role, propagate in roles.items():
            for name in self.role(role) or ():
                found[name] = found.get(name, 0) | propagate
        return found

    def role(self, role: str) -> tuple[str, ...] | None:
        """The privileges of a role, sorted, or None when there is none of that name."""
        if role in BUILT_IN_ROLES:
            return BUILT_IN_ROLES[role]
        found = self._store.get("role", role)
        return tuple(found["privs"]) if found else None

    def _roles(self, user: str, path: str) -> dict[str, int]:
        """The roles that hold on a path: role name to whether it propagates."""
        levels = _levels(path)
        groups = self._groups(user)
        mine: dict[str, dict[str, int]] = {}
        theirs: dict[str, dict[str, int]] = {}
        for _, entry in self._store.items("acl"):
            level = entry["path"]
            if level not in levels or not (entry["propagate"] or level == levels[-1]):
                continue
            if entry["type"] == "group" and entry["ugid"] in groups:
                theirs.setdefault(level, {})[entry["roleid"]] = entry["propagate"]
            elif entry["type"] != "group" and entry["ugid"] == user:
                mine.setdefault(level, {})[entry["roleid"]] = entry["propagate"]
        for level in reversed(levels):
            found = mine.get(level) or theirs.get(level)
            if found:
                return found
        return {}

    def _groups(self, user: str) -> set[str]:
        return {name for name, group in self._store.items("group") if user in group["users"]}

    def _pool_of(self, path: str) -> str | None:
        stamp = self._store.generation_of("pool")
        if self._pools[0] != stamp:
            members = {
                f"/{kind}/{member}": name
                for name, pool in self._store.items("pool")
                for kind in ("vms", "storage")
                for member in pool[kind]
            }
            self._pools = (stamp, members)
        return self._pools[1].get(path)

    def has(self, user: str, path: str, names: list[str], *, one: bool = False) -> bool:
        """Whether the user has all (with `one`: any) of the privileges on the path."""
        held = self.on(user, path)
        return any(n in held for n in names) if one else all(n in held for n in names)

    def require(self, user: str, path: str, names: list[str], *, one: bool = False) -> None:
        """403 that names the path and what is missing."""
        held = self.on(user, path)
        if one:
            if not any(name in held for name in names):
                raise forbidden(f"{path}, {'|'.join(names)}")
            return
        missing = next((name for name in names if name not in held), None)
        if missing is not None:
            raise forbidden(f"{path}, {missing}")

    def require_pool(self, pool: str) -> None:
        """403 when a call names a pool that does not exist."""
        if self._store.get("pool", pool) is None:
            raise forbidden(f"pool '{pool}' does not exist")

    def everything(self, user: str) -> dict[str, Privileges]:
        """All paths on which the user has privileges, out of the fixed top levels, those with
        entries and all above them, and the members of pools."""
        paths = dict.fromkeys(_TOP)
        paths |= dict.fromkeys(self.listed_paths())
        for _, pool in self._store.items("pool"):
            paths |= {f"/vms/{vmid}": None for vmid in pool["vms"]}
            paths |= {f"/storage/{storage}": None for storage in pool["storage"]}
        found = {path: self.on(user, path) for path in paths}
        return {path: held for path, held in found.items() if held}

    def listed_paths(self) -> list[str]:
        """Every path with entries, and all above them."""
        entries = (entry["path"] for _, entry in self._store.items("acl"))
        return list(dict.fromkeys(level for path in entries for level in _levels(path)))

    def may_modify(self, user: str, path: str) -> bool:
        """Whether the user may give and take rights on a path."""
        return self.has(user, path, _modifiers(path), one=True)

    def require_modify(self, user: str, path: str) -> None:
        """403 when the user may not give and take rights on a path."""
        self.require(user, path, _modifiers(path), one=True)

    def check(self, rule: Any, user: str, params: dict[str, Any]) -> None:
        """Hold a method's `permission` against a user; 403 when it is not met."""
        if user == ROOT or rule in ("all", "world"):
            return
        if rule == "root":
            raise forbidden("user != root@pam")
        self._check(rule["check"], user, params)

    def _check(self, rule: list[Any], user: str, params: dict[str, Any]) -> None:
        kind, *rest = rule
        if kind == "and":
            for part in rest:
                self._check(part, user, params)
        elif kind == "or":
            if not any(self._holds(part, user, params) for part in rest):
                raise forbidden("")
        elif kind == "perm":
            path, names, *options = rest
            if "require_param" in options:
                needed = options[options.index("require_param") + 1]
                if params.get(needed) is None:
                    raise forbidden("")
            self.require(user, _filled(path, params), names, one="any" in options)
        elif kind == "userid-param":
            self._check_userid(rest[0], user, str(params.get("userid") or ""))
        elif kind == "userid-group":
            self._check_groups(rest, user, params)
        elif kind == "perm-modify":
            path = normal_path(_filled(rest[0], params))
            if path is not None:  # a path that cannot be is refused later, with its own words
                self.require_modify(user, path)
        else:
            raise ValueError(f"unknown permission rule {kind}")

    def _holds(self, rule: list[Any], user: str, params: dict[str, Any]) -> bool:
        """Whether a rule among others is met; one of several parts has the last word, and refuses
        with its own text."""
        if rule[0] == "and":
            self._check(rule, user, params)
            return True
        try:
            self._check(rule, user, params)
        except _NoNameError:
            raise
        except ApiError:
            return False
        return True

    def _check_exists(self, userid: str) -> None:
        _check_name(userid)
        if self._store.get("user", userid) is None:
            raise failure(f"no such user ('{userid}')")

    def _check_userid(self, wanted: str, user: str, userid: str) -> None:
        _check_name(userid)
        if wanted == "self":
            self._check_exists(userid)
            if user != userid:  # a token is not its user
                raise forbidden("")
            return
        realm = userid.rpartition("@")[2]
        self.require(user, f"/access/realm/{realm}", [wanted])

    def _check_groups(self, rule: list[Any], user: str, params: dict[str, Any]) -> None:
        """Rights over an account through its groups; `create` and `update` also look at the
        groups it is to be in."""
        names, purpose = rule[0], rule[1] if len(rule) > 1 else None
        userid = str(params.get("userid") or "")
        if purpose != "create":
            self._check_exists(userid)
        if self.has(user, "/access/groups", names, one=True):
            return
        if purpose is not None:
            wanted = split_list(str(params.get("groups") or ""))
            if not wanted:
                raise forbidden(f"/access/groups, {'|'.join(names)}")
            for group in wanted:
                path = f"/access/groups/{group}"
                if self._store.get("group", group) is None:
                    raise forbidden(f"{path}, {'|'.join(names)}")
                self.require(user, path, names, one=True)
        if purpose != "create":
            groups = self._groups(userid)
            if not any(self.has(user, f"/access/groups/{g}", names, one=True) for g in groups):
                raise forbidden("")


class _NoNameError(ApiError):
    """A text that cannot be a user's name: no other rule is asked then."""


def _check_name(userid: str) -> None:
    if fault := check_format("pve-userid", userid):
        raise _NoNameError(500, fault)


def _modifiers(path: str) -> list[str]:
    """The privileges of which one is enough to change rights on a path."""
    names = ["Permissions.Modify"]
    if path.startswith("/storage/"):
        names.append("Datastore.Allocate")
    elif path.startswith("/vms/"):
        names.append("VM.Allocate")
    elif path.startswith("/pool/"):
        names.append("Pool.Allocate")
    return names


_TOP = (
    "/",
    "/access",
    "/access/groups",
    "/nodes",
    "/pool",
    "/sdn",
    "/storage",
    "/vms",
)


def normal_path(text: str) -> str | None:
    """A path with one slash in front, none at the end and none double; None for what has other
    characters than names have."""
    path = "/" + re.sub("/+", "/", text).strip("/")
    return path if text and re.fullmatch(r"[A-Za-z0-9.\-_/]+", path) else None


def _levels(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return ["/", *("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))]


def _filled(path: str, params: dict[str, Any]) -> str:
    """A path with the values of parameters in it; a dash stands for one that is missing."""

    def value(found: re.Match[str]) -> str:
        given = params.get(found[1])
        return "-" if given in (None, "", "0") else str(given)

    return re.sub(r"\{([^}]+)\}", value, path)
