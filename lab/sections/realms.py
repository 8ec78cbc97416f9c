"""Realms: where users come from. pam and pve are there; directories and OpenID are definitions
that nobody can log in with, and a sync finds no server."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import TaskError, bad_parameter, failure
from lab.formats import named_format, parse_property_string, print_property_string, split_list
from lab.routes import handles
from lab.section_file import Section, filled, section_type, within
from lab.store import Store
from lab.tasks import TaskLog

KIND = "realm"
BUILT_IN: dict[str, Section] = {
    "pam": {"type": "pam", "comment": "Linux PAM standard authentication"},
    "pve": {"type": "pve", "comment": "Proxmox VE authentication server"},
}
_COMMON = "default comment tfa"
_DIRECTORY = (
    "server2 port secure sslversion verify capath cert certkey filter sync_attributes user_classes "
    "group_dn group_name_attr group_filter group_classes sync-defaults-options mode case-sensitive "
    "bind_dn"
)
TYPES = {
    "ad": section_type("server1 domain", f"{_COMMON} {_DIRECTORY} base_dn user_attr"),
    "ldap": section_type("server1 base_dn user_attr", f"{_COMMON} {_DIRECTORY}"),
    "openid": section_type(
        "issuer-url client-id",
        "default comment client-key autocreate groups-claim groups-autocreate groups-overwrite "
        "prompt scopes acr-values audiences query-userinfo",
        "username-claim",
    ),
    "pam": section_type("", _COMMON),
    "pve": section_type("", _COMMON),
}
_DIRECTORIES = ("ad", "ldap")
_META = ("realm", "type", "digest", "delete", "check-connection", "password")
_HIDDEN = ("password",)
_SYNC = "realm-sync-options"


@named_format("ldap-simple-attr")
def _attribute(text: str) -> None:
    if not (text.isascii() and text.isalnum()):
        raise ValueError(f"value '{text}' does not look like a simple ldap attribute name")


def realms(store: Store) -> dict[str, Section]:
    """All realms: what is kept, and the two that are always there."""
    kept = dict(store.items(KIND))
    return {**{name: kept.get(name, row) for name, row in BUILT_IN.items()}, **kept}


def _shown(row: Section) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _HIDDEN}


@handles("GET", "/access/domains")
async def list_realms(call: Call) -> Any:
    """Name, kind and comment of every realm, for everybody."""
    return [_listed(name, row) for name, row in realms(call.lab.store).items()]


def _listed(name: str, row: Section) -> dict[str, Any]:
    shown = {"realm": name, "type": row["type"]}
    shown |= {key: row[key] for key in ("comment", "default") if row.get(key)}
    if "tfa" in row:
        shown["tfa"] = parse_property_string("pve-tfa-config", row["tfa"])["type"]
    return shown


@handles("GET", "/access/domains/{realm}")
async def read_realm(call: Call) -> Any:
    """One realm, without its secret."""
    known = realms(call.lab.store)
    row = known.get(call.params["realm"])
    if row is None:
        raise failure(f"domain '{call.params['realm']}' does not exist")
    return {**_shown(row), "digest": digest_of(known)}


def _given(call: Call) -> Section:
    values = {name: value for name, value in call.params.items() if name not in _META}
    if "sync-defaults-options" in values:
        options = _vanished(parse_property_string(_SYNC, values["sync-defaults-options"]))
        values["sync-defaults-options"] = print_property_string(_SYNC, options)
    return values


def _vanished(options: dict[str, Any]) -> dict[str, Any]:
    """The two old flags in the words of `remove-vanished`."""
    words = ["entry", "properties"] if options.pop("full", 0) else []
    words += ["acl"] if options.pop("purge", 0) else []
    if words:
        options.setdefault("remove-vanished", ";".join(words))
    return options


def _check_connection(call: Call, kind: str) -> None:
    if "check-connection" not in call.params:
        return
    if kind not in _DIRECTORIES:
        raise failure(
            "'check-connection' parameter can only be set for realms of type 'ldap' or 'ad'"
        )
    if call.params["check-connection"]:
        raise failure("unable to connect to any of the servers: the lab has no directory")


def _put(call: Call, row: Section) -> None:
    store, name = call.lab.store, call.params["realm"]
    if row.get("default"):
        for other, found in store.items(KIND):
            if other != name and found.get("default"):
                store.put(KIND, other, {k: v for k, v in found.items() if k != "default"})
    store.put(KIND, name, row)


@handles("POST", "/access/domains")
async def create_realm(call: Call) -> Any:
    """A new realm of a kind that is not built in."""
    name, kind = call.params["realm"], call.params["type"]
    with within("add auth server failed"):
        if name in realms(call.lab.store):
            raise failure(f"domain '{name}' already exists")
        if kind in BUILT_IN:
            raise failure(f"unable to create builtin type '{kind}'")
        values = _given(call)
        TYPES[kind].check_new(values)
        _check_connection(call, kind)
        _put(call, {"type": kind, **filled(values), **_secret(call, kind)})


def _secret(call: Call, kind: str) -> Section:
    """The password of a directory's reader; other kinds drop it."""
    given = {name: call.params[name] for name in _HIDDEN if call.params.get(name)}
    return given if kind in _DIRECTORIES else {}


@handles("PUT", "/access/domains/{realm}")
async def change_realm(call: Call) -> Any:
    """Change and delete options of a realm."""
    name, known = call.params["realm"], realms(call.lab.store)
    with within("update auth server failed"):
        check_digest(call.params.get("digest"), known)
        if name not in known:
            raise failure(f"domain '{name}' does not exist")
        row, values = known[name], _given(call)
        _check_connection(call, row["type"])
        gone = split_list(call.params.get("delete", ""))
        if not gone and not values and "password" not in call.params:
            raise failure("no options specified")
        TYPES[row["type"]].check_change(values)
        changed = {key: value for key, value in row.items() if key not in gone} | values
        TYPES[row["type"]].check_whole(name, changed)
        _put(call, filled(changed) | _secret(call, row["type"]))


@handles("DELETE", "/access/domains/{realm}")
async def delete_realm(call: Call) -> Any:
    """Remove a realm; its users stay. A built-in one is back at once, as it was made."""
    name = call.params["realm"]
    with within("delete auth server failed"):
        if name not in realms(call.lab.store):
            raise failure(f"authentication domain '{name}' does not exist")
        call.lab.store.delete(KIND, name)


@handles("POST", "/access/domains/{realm}/sync")
async def sync_realm(call: Call) -> Any:
    """A task that cannot reach the directory: the lab has none."""
    name = call.params["realm"]
    row = realms(call.lab.store).get(name)
    if row is None:
        raise bad_parameter("realm", "Realm does not exist.")
    if row["type"] not in _DIRECTORIES:
        raise failure(f"Cannot sync realm type '{row['type']}'! Only LDAP/AD realms can be synced.")
    defaults = parse_property_string(_SYNC, row.get("sync-defaults-options", ""))
    if not call.params.get("scope", defaults.get("scope")):
        text = "Not passed as parameter and not defined in realm default sync options."
        raise bad_parameter("scope", text)

    dry = bool(call.params.get("dry-run"))

    async def work(log: TaskLog) -> None:
        log(f"{'(dry test run) ' if dry else ''}starting sync for realm {name}")
        raise TaskError(f"unable to connect to {row['server1']}: the lab has no directory")

    kind = "auth-realm-sync-test" if dry else "auth-realm-sync"
    return await call.lab.tasks.start(call, call.lab.local, kind, name, work)
