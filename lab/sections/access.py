"""Login, passwords, realms and effective permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.auth import ROOT
from lab.call import Call
from lab.errors import ApiError, bad_parameter, failure, forbidden
from lab.formats import split_list
from lab.rights import Privileges, normal_path
from lab.routes import handles
from lab.sections.realms import realms
from lab.sections.users import check_realm

if TYPE_CHECKING:
    from lab.app import Lab

_AREAS = {
    "access": ("User.", "Group.", "Permissions.Modify"),
    "dc": ("Sys.Audit", "Sys.Modify", "SDN."),
    "nodes": ("Sys.", "Permissions.Modify"),
    "mapping": ("Mapping.", "Permissions.Modify"),
    "sdn": ("SDN.", "Permissions.Modify"),
    "storage": ("Datastore.", "Permissions.Modify"),
    "vms": ("VM.", "Permissions.Modify"),
}
_LOOKED_AT = ("/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping")


@handles("GET", "/access/ticket")
async def read_ticket(call: Call) -> Any:
    """Nothing; the call exists so that a session can be probed."""


@handles("POST", "/access/ticket")
async def log_in(call: Call) -> Any:
    """A ticket and its CSRF token for a user's password, for an older ticket, or for one of
    root's; with a path and privileges only whether the user has them there."""
    lab, realm = call.lab, call.params.get("realm")
    user = call.params["username"] + (f"@{realm}" if realm else "")
    answer = {"username": user}
    if call.params.get("path") and call.params.get("privs"):
        fits = _may(call, user)
    else:
        fits = lab.authority.password_fits(user, call.params["password"], root_too=True)
        answer["ticket"] = lab.authority.ticket(user)
        answer["CSRFPreventionToken"] = lab.authority.csrf_token(user)
    if not fits or "tfa-challenge" in call.params:
        raise ApiError(401, "authentication failure\n")
    if lab.rights.has(user, "/", ["Sys.Audit"]):
        answer["clustername"] = lab.cluster
    return answer | {"cap": _abilities(lab, user)}


def _may(call: Call, user: str) -> bool:
    """Whether a password or ticket is the user's, who has privileges on a path."""
    path, wanted = normal_path(call.params["path"]), split_list(call.params["privs"])
    if path is None or not wanted:
        return False
    fits = call.lab.authority.password_fits(user, call.params["password"])
    return fits and call.lab.rights.has(user, path, wanted)


@handles("POST", "/access/vncticket")
async def check_console(call: Call) -> Any:
    """Nothing, when a console's ticket is a user's who has privileges on a path; else 401."""
    lab, user = call.lab, call.params["authid"]
    path, wanted = normal_path(call.params["path"]), split_list(call.params["privs"])
    try:
        ticket, port = call.params["vncticket"], call.params.get("port", 0)
        lab.authority.check_console_ticket(ticket, user, path or "", port)
    except (ApiError, ValueError) as error:
        raise ApiError(401, "authentication failure\n") from error
    if not wanted or not lab.rights.has(user, path or "", wanted):
        raise ApiError(401, "authentication failure\n")


@handles("POST", "/access/openid/auth-url")
async def openid_address(call: Call) -> Any:
    """Where to log in; the lab has nobody who could be asked for that."""
    name = call.params["realm"]
    row = realms(call.lab.store).get(name)
    if row is None:
        raise failure(f"authentication domain '{name}' does not exist")
    if row["type"] != "openid":
        raise failure(f"wrong realm type ({row['type']} != openid)")
    raise failure(f"{row['issuer-url']} is not asked: the lab has no providers of OpenID")


@handles("POST", "/access/openid/login")
async def openid_login(_call: Call) -> Any:
    """Never: no login has been begun that this could be the end of."""
    raise ApiError(401, "authentication failure\n")


def _abilities(lab: Lab, user: str) -> dict[str, Privileges]:
    """By area, the privileges that the user has anywhere in it: what a user interface shows."""
    found: dict[str, Privileges] = {area: {} for area in _AREAS}
    for path in dict.fromkeys((*_LOOKED_AT, *lab.rights.listed_paths())):
        top = path.split("/")[1] or "dc"
        areas = ("vms", "storage") if top == "pool" else (top,)
        for area in areas:
            starts = _AREAS.get(area, ())
            held = [name for name in lab.rights.on(user, path) if name.startswith(starts)]
            if starts:
                found[area] |= dict.fromkeys(held, 1)
    return found


@handles("PUT", "/access/password")
async def change_password(call: Call) -> Any:
    """Set the password of an account: as root, or with the caller's own password to confirm."""
    user = call.params["userid"]
    if call.lab.store.get("user", user) is None:
        raise failure(f"no such user ('{user}')")
    if call.user != ROOT:
        _confirm(call, user)
    check_realm(call, user)
    if user.endswith("@pam"):
        raise failure("can't change the password of a system account of the lab")
    call.lab.authority.set_password(user, call.params["password"])


def _confirm(call: Call, user: str) -> None:
    if user == ROOT:
        raise forbidden("")
    confirmation = call.params.get("confirmation-password")
    if confirmation is None:
        raise bad_parameter("confirmation-password", "password is required to modify user")
    if not call.lab.authority.password_fits(call.user, confirmation):
        raise failure("invalid credentials")
    if call.user != user and user.endswith("@pam"):
        raise forbidden("")


@handles("GET", "/access/permissions")
async def read_permissions(call: Call) -> Any:
    """Privileges by path, of the caller or of `userid`; the value says whether they propagate."""
    rights, path = call.lab.rights, call.params.get("path")
    user = call.params.get("userid", call.user)
    if call.user not in (user, user.rpartition("!")[0]):
        rights.require(call.user, "/access", ["Sys.Audit"])
    if path:
        return {path: rights.on(user, path)}
    return rights.everything(user)
