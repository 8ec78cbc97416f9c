"""ACME: plugins for challenges are kept. Accounts and orders need a directory, which is absent."""

from __future__ import annotations

import base64
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.routes import handles
from lab.section_file import Section, filled, section_type

KIND = "acmeplugin"
TYPES = {
    "dns": section_type("api", "data nodes disable validation-delay"),
    "standalone": section_type("", "nodes disable"),
}
_META = ("id", "type", "digest", "delete")
_STANDALONE: Section = {"type": "standalone"}


def _plugins(call: Call) -> dict[str, Section]:
    """All plugins; the one named `standalone` is always there."""
    return {"standalone": _STANDALONE, **dict(call.lab.store.items(KIND))}


def _shown(call: Call, name: str) -> dict[str, Any]:
    plugins = _plugins(call)
    if name not in plugins:
        raise failure(f"ACME plugin '{name}' not defined")
    return {"plugin": name, **plugins[name], "digest": digest_of(plugins)}


@handles("GET", "/cluster/acme/plugins")
async def list_plugins(call: Call) -> Any:
    """All plugins, of one kind if asked for."""
    wanted = call.params.get("type")
    rows = [_shown(call, name) for name in _plugins(call)]
    return [row for row in rows if wanted in (None, row["type"])]


@handles("GET", "/cluster/acme/plugins/{id}")
async def read_plugin(call: Call) -> Any:
    """One plugin."""
    return _shown(call, call.params["id"])


def _given(call: Call) -> Section:
    """The options of a call; `data` comes encoded and is kept and shown decoded."""
    values = {name: value for name, value in call.params.items() if name not in _META}
    if "data" in values:
        values["data"] = _decoded(values["data"])
    return values


def _decoded(text: str) -> str:
    """Text from either alphabet of base64, with or without padding."""
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode()
    except ValueError as error:
        raise bad_parameter("data", "value is not text in base64") from error


@handles("POST", "/cluster/acme/plugins")
async def create_plugin(call: Call) -> Any:
    """A new plugin."""
    name, kind = call.params["id"], call.params["type"]
    if name in _plugins(call):
        raise failure(f"ACME plugin ID '{name}' already exists")
    values = _given(call)
    TYPES[kind].check_new(values)
    call.lab.store.put(KIND, name, {"type": kind, **filled(values)})


@handles("PUT", "/cluster/acme/plugins/{id}")
async def change_plugin(call: Call) -> Any:
    """Change and delete options of a plugin."""
    name, plugins = call.params["id"], _plugins(call)
    check_digest(call.params.get("digest"), plugins)
    if name not in plugins:
        raise failure(f"ACME plugin ID '{name}' does not exist")
    kind, values = TYPES[plugins[name]["type"]], _given(call)
    kept = kind.without(plugins[name], split_list(call.params.get("delete", "")))
    kind.check_change(values)
    call.lab.store.put(KIND, name, filled({**kept, **values}))


@handles("DELETE", "/cluster/acme/plugins/{id}")
async def delete_plugin(call: Call) -> Any:
    """Remove a plugin; one that is not there is no error."""
    call.lab.store.delete(KIND, call.params["id"])


@handles("GET", "/cluster/acme/account")
async def list_accounts(_call: Call) -> Any:
    """Registered accounts: none, since there is no directory to register with."""
    return []
