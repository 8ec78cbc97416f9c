"""Login, passwords, realms and effective permissions."""

from __future__ import annotations

from typing import Any

from lab.auth import ROOT
from lab.call import Call
from lab.errors import ApiError, failure, forbidden
from lab.rights import Privileges
from lab.routes import handles

_SHORTCUTS = {
    "access": ("/access", ("User.Modify", "Group.Allocate", "Permissions.Modify", "Sys.Audit")),
    "dc": ("/", ("Sys.Audit", "Sys.Modify", "SDN.Audit", "SDN.Allocate", "SDN.Use")),
    "nodes": ("/nodes", ("Sys.",)),
    "mapping": ("/mapping", ("Mapping.",)),
    "sdn": ("/sdn", ("SDN.", "Permissions.Modify")),
    "storage": ("/storage", ("Datastore.", "Permissions.Modify")),
    "vms": ("/vms", ("VM.", "Permissions.Modify")),
}


@handles("GET", "/access/ticket")
async def read_ticket(call: Call) -> Any:
    """Nothing; the call exists so that a session can be probed."""


@handles("POST", "/access/ticket")
async def log_in(call: Call) -> Any:
    """A ticket and its CSRF token for a user's password, or for an older ticket."""
    name, realm = call.params["username"], call.params.get("realm")
    user = f"{name}@{realm}" if realm else name
    if not call.lab.authority.password_fits(user, call.params["password"]):
        raise ApiError(401, "authentication failure\n")
    see_cluster = call.lab.rights.has(user, "/", ["Sys.Audit"])
    return ({"clustername": call.lab.cluster} if see_cluster else {}) | {
        "username": user,
        "ticket": call.lab.authority.ticket(user),
        "CSRFPreventionToken": call.lab.authority.csrf_token(user),
        "cap": {
            name: _held(call.lab.rights.on(user, path), starts)
            for name, (path, starts) in _SHORTCUTS.items()
        },
    }


def _held(privileges: Privileges, starts: tuple[str, ...]) -> Privileges:
    return {name: 1 for name in privileges if name.startswith(starts)}


@handles("PUT", "/access/password")
async def change_password(call: Call) -> Any:
    """Set the password of an account of the realm `pve`: one's own, or with the right to."""
    user = call.params["userid"]
    if call.lab.store.get("user", user) is None:
        raise failure(f"no such user ('{user}')")
    if call.user not in (ROOT, user):
        realm = user.rpartition("@")[2]
        if not call.lab.rights.has(call.user, f"/access/realm/{realm}", ["Realm.AllocateUser"]):
            raise forbidden("")
    if user.endswith("@pam"):
        raise failure("can't change the password of a system account of the lab")
    call.lab.authority.set_password(user, call.params["password"])


@handles("GET", "/access/permissions")
async def read_permissions(call: Call) -> Any:
    """Privileges by path, of the caller or of `userid`; the value says whether they propagate."""
    rights, path = call.lab.rights, call.params.get("path")
    user = call.params.get("userid", call.user)
    if user != call.user and not rights.has(call.user, "/access", ["Sys.Audit"]):
        raise forbidden("/access, Sys.Audit")
    if path is not None:
        return {path: rights.on(user, path)}
    return rights.everything(user)
