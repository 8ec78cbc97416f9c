"""Aliases and IP sets of datacenter and guests, and the list of names that rules may use."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import bad_parameter, failure
from lab.firewall.addresses import is_address, network
from lab.firewall.scopes import CLUSTER, CONTAINER, DATACENTER, GUEST, Scope, load
from lab.sections.firewall import serve
from lab.store import Value

ENTRY = ("nomatch", "comment")


def _alias(scope: Scope, call: Call) -> Value:
    found = scope.read(call)["aliases"].get(call.params["name"].lower())
    if found is None:
        raise bad_parameter("name", "no such alias")
    alias: Value = found
    return alias


def _shown_alias(alias: Value) -> dict[str, Any]:
    found = network(alias["cidr"])
    cidr = alias["cidr"].removesuffix(f"/{found.max_prefixlen}")
    return {**_filled(alias), "cidr": cidr, "ipversion": found.version}


def _filled(values: Value) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None)}


async def list_aliases(scope: Scope, call: Call) -> Any:
    """All aliases."""
    aliases = scope.read(call)["aliases"]
    digest = digest_of(aliases)
    return [_shown_alias(alias) | {"digest": digest} for alias in aliases.values()]


async def create_alias(scope: Scope, call: Call) -> Any:
    """A name for an address or network; the network is kept as it was written."""
    present, name = scope.read(call)["aliases"], call.params["name"]
    if name.lower() in present:
        raise bad_parameter("name", f"alias '{name}' already exists")
    scope.write(call, aliases=present | {name.lower(): _made(call, name)})


def _made(call: Call, name: str) -> Value:
    return {
        "name": name,
        "cidr": call.params["cidr"],
        "comment": call.params.get("comment", ""),
    }


async def read_alias(scope: Scope, call: Call) -> Any:
    """One alias, without a digest."""
    return _shown_alias(_alias(scope, call))


async def change_alias(scope: Scope, call: Call) -> Any:
    """Replace an alias, with `rename` under another name."""
    present, old = dict(scope.read(call)["aliases"]), call.params["name"]
    check_digest(call.params.get("digest"), present)
    _alias(scope, call)
    name = call.params.get("rename") or old
    if name.lower() == old.lower():
        name = old
    if name.lower() != old.lower() and name.lower() in present:
        raise bad_parameter("name", f"alias '{name}' already exists")
    del present[old.lower()]
    scope.write(call, aliases=present | {name.lower(): _made(call, name)})


async def delete_alias(scope: Scope, call: Call) -> Any:
    """Remove an alias; an absent one is no error."""
    present = scope.read(call)["aliases"]
    check_digest(call.params.get("digest"), present)
    gone = call.params["name"].lower()
    scope.write(call, aliases={key: value for key, value in present.items() if key != gone})


def _set(scope: Scope, call: Call) -> Value:
    found = scope.read(call)["ipset"].get(call.params["name"])
    if found is None:
        raise failure(f"no such IPSet '{call.params['name']}'")
    ipset: Value = found
    return ipset


def _write_set(scope: Scope, call: Call, name: str, ipset: Value | None) -> None:
    rest = {key: value for key, value in scope.read(call)["ipset"].items() if key != name}
    scope.write(call, ipset=rest if ipset is None else rest | {name: ipset})


def _set_list(scope: Scope, call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, **_filled({"comment": ipset.get("comment")})}
        for name, ipset in sorted(scope.read(call)["ipset"].items())
    ]


async def list_sets(scope: Scope, call: Call) -> Any:
    """Names and comments of IP sets."""
    found = _set_list(scope, call)
    digest = digest_of(found)
    return [{**row, "digest": digest} for row in found]


async def create_set(scope: Scope, call: Call) -> Any:
    """A new, empty IP set, or with `rename` an existing one under another name."""
    present, name, old = scope.read(call)["ipset"], call.params["name"], call.params.get("rename")
    if old is None:
        if name in present:
            raise bad_parameter("name", f"IPSet '{name}' already exists")
        # The file keeps names in small letters, and takes a set of the same name for the same one.
        there = present.get(name.lower(), {"entries": []})
        comment = there.get("comment") or call.params.get("comment", "")
        _write_set(scope, call, name.lower(), {**there, "comment": comment})
        return
    check_digest(call.params.get("digest"), _set_list(scope, call))
    if old not in present:
        raise bad_parameter("name", f"IPSet '{old}' does not exist")
    if name in present and name != old:
        raise bad_parameter("name", f"IPSet '{name}' does already exist")
    ipset = present[old]
    comment = call.params.get("comment", ipset.get("comment", ""))
    _write_set(scope, call, old, None)
    _write_set(scope, call, name.lower(), {**ipset, "comment": comment})


async def delete_set(scope: Scope, call: Call) -> Any:
    """Remove an IP set, with `force` even one that has entries."""
    if _set(scope, call)["entries"] and not call.params.get("force"):
        raise failure(f"IPSet '{call.params['name']}' is not empty")
    _write_set(scope, call, call.params["name"], None)


async def list_entries(scope: Scope, call: Call) -> Any:
    """All entries of an IP set."""
    entries = _set(scope, call)["entries"]
    digest = digest_of(entries)
    return [_filled(entry) | {"digest": digest} for entry in entries]


def _normal(scope: Scope, call: Call) -> str:
    """An entry as it is kept: networks without host bits, aliases that exist."""
    text: str = call.params["cidr"]
    if is_address(text):
        found = network(text)
        return str(found) if 0 <= found.prefixlen < found.max_prefixlen else text.partition("/")[0]
    name = text.removeprefix("dc/").removeprefix("guest/")
    scopes = [scope.read(call)] if scope is not DATACENTER and not text.startswith("dc/") else []
    if not text.startswith("guest/"):
        scopes.append(load(call.lab.store, CLUSTER))
    if not any(name.lower() in settings["aliases"] for settings in scopes):
        raise failure(f"no such alias '{name}'")
    return text


async def create_entry(scope: Scope, call: Call) -> Any:
    """A new entry: address, network or alias."""
    ipset, cidr = _set(scope, call), _normal(scope, call)
    if any(entry["cidr"] == cidr for entry in ipset["entries"]):
        raise bad_parameter("cidr", f"address '{cidr}' already exists")
    if cidr.endswith("/0"):
        raise bad_parameter("cidr", "a zero prefix is not allowed in ipset entries")
    entry = {"cidr": cidr} | {name: call.params[name] for name in ENTRY if call.params.get(name)}
    _write_set(scope, call, call.params["name"], {**ipset, "entries": [entry, *ipset["entries"]]})


def _entry(scope: Scope, call: Call) -> Value:
    for entry in _set(scope, call)["entries"]:
        if entry["cidr"] == call.params["cidr"]:
            found: Value = entry
            return found
    raise bad_parameter("cidr", "no such IP/Network")


async def read_entry(scope: Scope, call: Call) -> Any:
    """One entry of an IP set."""
    digest = digest_of(_set(scope, call)["entries"])
    return _filled(_entry(scope, call)) | {"digest": digest}


async def change_entry(scope: Scope, call: Call) -> Any:
    """Replace what an entry says besides its address."""
    ipset = _set(scope, call)
    check_digest(call.params.get("digest"), ipset["entries"])
    found = _entry(scope, call)
    made = {"cidr": found["cidr"]}
    made |= {name: call.params[name] for name in ENTRY if call.params.get(name)}
    entries = [made if each is found else each for each in ipset["entries"]]
    _write_set(scope, call, call.params["name"], {**ipset, "entries": entries})


async def delete_entry(scope: Scope, call: Call) -> Any:
    """Remove an entry; an absent one is no error."""
    ipset = _set(scope, call)
    check_digest(call.params.get("digest"), ipset["entries"])
    entries = [entry for entry in ipset["entries"] if entry["cidr"] != call.params["cidr"]]
    _write_set(scope, call, call.params["name"], {**ipset, "entries": entries})


async def list_references(scope: Scope, call: Call) -> Any:
    """Aliases and IP sets that rules of this scope may name, and how."""
    found = _references(load(call.lab.store, CLUSTER), "dc")
    if scope in (GUEST, CONTAINER):
        found += _references(scope.read(call), "guest")
    wanted = call.params.get("type")
    return [reference for reference in found if wanted in (None, reference["type"])]


def _references(settings: Value, scope: str) -> list[dict[str, Any]]:
    aliases = [
        {"type": "alias", **_filled({"comment": alias.get("comment")}), "name": name, "ref": name}
        for name, alias in settings["aliases"].items()
    ]
    sets = [
        {"type": "ipset", "ref": f"+{name}", "name": name}
        | _filled({"comment": ipset.get("comment")})
        for name, ipset in settings["ipset"].items()
    ]
    return [{**reference, "scope": scope} for reference in (*aliases, *sets)]


for _scope in (DATACENTER, GUEST, CONTAINER):
    serve(_scope, "GET", "/aliases", list_aliases)
    serve(_scope, "POST", "/aliases", create_alias)
    serve(_scope, "GET", "/aliases/{name}", read_alias)
    serve(_scope, "PUT", "/aliases/{name}", change_alias)
    serve(_scope, "DELETE", "/aliases/{name}", delete_alias)
    serve(_scope, "GET", "/ipset", list_sets)
    serve(_scope, "POST", "/ipset", create_set)
    serve(_scope, "GET", "/ipset/{name}", list_entries)
    serve(_scope, "POST", "/ipset/{name}", create_entry)
    serve(_scope, "DELETE", "/ipset/{name}", delete_set)
    serve(_scope, "GET", "/ipset/{name}/{cidr}", read_entry)
    serve(_scope, "PUT", "/ipset/{name}/{cidr}", change_entry)
    serve(_scope, "DELETE", "/ipset/{name}/{cidr}", delete_entry)
    serve(_scope, "GET", "/refs", list_references)
