"""Metric servers: where hosts would send their figures; the lab's hosts send none."""

from __future__ import annotations

import re
from typing import Any

from lab.call import Call
from lab.digest import check_digest
from lab.errors import failure
from lab.formats import named_format, split_list
from lab.routes import handles
from lab.section_file import Section, filled, section_type

KIND = "metricserver"
TYPES = {
    "graphite": section_type("server", "port mtu proto timeout path disable"),
    "influxdb": section_type(
        "server port",
        "mtu disable organization bucket token influxdbproto timeout max-body-size "
        "api-path-prefix verify-certificate",
    ),
    "opentelemetry": section_type(
        "server",
        "port disable otel-protocol otel-path otel-timeout otel-headers otel-verify-ssl "
        "otel-max-body-size otel-resource-attributes otel-compression",
    ),
}
_META = ("id", "type", "digest", "delete")
_HIDDEN = ("token",)
_PART = "[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_GRAPHITE = re.compile(rf"({_PART}\.)*{_PART}")


@named_format("graphite-path")
def _graphite_path(text: str) -> None:
    if not _GRAPHITE.fullmatch(text):
        raise ValueError("value does not look like a valid graphite path")


@handles("GET", "/cluster/metrics/server")
async def list_servers(call: Call) -> Any:
    """Name, kind and address of every server."""
    return [
        {
            "id": name,
            "disable": row.get("disable", 0),
            "type": row["type"],
            "server": row["server"],
            "port": row.get("port"),
        }
        for name, row in sorted(call.lab.store.items(KIND))
    ]


@handles("GET", "/cluster/metrics/server/{id}")
async def read_server(call: Call) -> Any:
    """The section of one server, without its name, its token or a digest."""
    row = call.lab.store.get(KIND, call.params["id"])
    if row is None:
        raise failure(f"status server entry '{call.params['id']}' does not exist")
    return {key: value for key, value in row.items() if key not in _HIDDEN}


def _given(call: Call) -> Section:
    return {name: value for name, value in call.params.items() if name not in _META}


@handles("POST", "/cluster/metrics/server/{id}")
async def create_server(call: Call) -> Any:
    """A new server; whether it answers is not tried."""
    store, name, kind = call.lab.store, call.params["id"], call.params["type"]
    if store.get(KIND, name) is not None:
        raise failure(f"Metric server '{name}' already exists")
    values = _given(call)
    TYPES[kind].check_new(values)
    store.put(KIND, name, {"type": kind, **filled(values)})


@handles("PUT", "/cluster/metrics/server/{id}")
async def change_server(call: Call) -> Any:
    """Change and delete options of a server."""
    store, name, values = call.lab.store, call.params["id"], _given(call)
    check_digest(call.params.get("digest"), dict(store.items(KIND)))
    row = store.get(KIND, name)
    if row is None:
        raise failure(f"no such server '{name}'")
    kind = TYPES[row["type"]]
    kind.check_change(values)
    kept = kind.without(row, split_list(call.params.get("delete", "")), values)
    store.put(KIND, name, filled({**kept, **values}))


@handles("DELETE", "/cluster/metrics/server/{id}")
async def delete_server(call: Call) -> Any:
    """Remove a server; the text for one that is not there is that of its missing kind."""
    if call.lab.store.get(KIND, call.params["id"]) is None:
        raise failure(
            "cannot lookup undefined type! at /usr/share/perl5/PVE/SectionConfig.pm line 1."
        )
    call.lab.store.delete(KIND, call.params["id"])
