"""Hardware mappings: one name for devices or folders that differ from host to host.

The lab's hosts have no devices of their own, so a check of a device on a host finds none, and a
folder is taken to be there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import failure
from lab.formats import named_format, parse_property_string, split_list
from lab.routes import add_handler
from lab.section_file import Section, SectionType, filled, section_type, within

_META = ("id", "digest", "delete")
_READ = ["Mapping.Modify", "Mapping.Use", "Mapping.Audit"]
_PATH = re.compile(r"/[^;,=()]+")


@named_format("pve-storage-path-in-property-string")
def _path(text: str) -> None:
    if not _PATH.match(text):
        raise ValueError(
            "Value does not look like a valid absolute path. These symbols are currently not "
            "allowed in path: ;,=()"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One kind: its name in paths, in texts about changes, its options, and the property string
    of one host's entry."""

    name: str
    change: str
    options: SectionType
    findings: str = "checks"

    @property
    def kind(self) -> str:
        """The kind of its rows in the store."""
        return f"mapping-{self.name}"

    @property
    def entry(self) -> str:
        """The format of an entry of `map`."""
        return f"mapping-{self.name}"

    def rows(self, call: Call) -> dict[str, Section]:
        """All mappings of the kind."""
        return dict(call.lab.store.items(self.kind))

    def entries(self, mapping: Section) -> list[dict[str, Any]]:
        """What a mapping says for each host."""
        return [parse_property_string(self.entry, text) for text in mapping["map"]]


PCI = Mapping(
    name="pci",
    change="hardware mapping",
    options=section_type("map", "description mdev live-migration-capable"),
)
USB = Mapping(
    name="usb",
    change="hardware mapping",
    options=section_type("map", "description"),
    findings="errors",
)
DIR = Mapping(name="dir", change="directory mapping", options=section_type("map", "description"))


async def list_mappings(kind: Mapping, call: Call) -> Any:
    """All mappings on which the caller has a right, with findings about a host if asked for."""
    node, rows = call.params.get("check-node"), kind.rows(call)
    digest = digest_of(rows)
    return [
        {"id": name, "type": kind.name, **row, "digest": digest, **_findings(kind, call, row, node)}
        for name, row in rows.items()
        if call.lab.rights.has(call.user, f"/mapping/{kind.name}/{name}", _READ, one=True)
    ]


def _findings(kind: Mapping, call: Call, row: Section, node: str | None) -> dict[str, Any]:
    if node is None:
        return {}
    node = call.lab.resolve(node)
    entries = [entry for entry in kind.entries(row) if entry["node"] == node]
    if not entries:
        text = f"No mapping for node {node}."
        return {kind.findings: [{"severity": "warning", "message": text}]}
    if kind is DIR:
        return {kind.findings: []}
    devices = [str(entry.get("path", entry["id"])) for entry in entries]
    texts = [f"Invalid configuration: {kind.name} device '{d}' not found\n" for d in devices]
    return {kind.findings: [{"severity": "error", "message": text} for text in texts]}


def _find(kind: Mapping, call: Call) -> Section:
    found = kind.rows(call).get(call.params["id"])
    if found is None:
        raise failure(f"mapping '{call.params['id']}' not found")
    return found


async def read_mapping(kind: Mapping, call: Call) -> Any:
    """One mapping."""
    return {"type": kind.name, **_find(kind, call), "digest": digest_of(kind.rows(call))}


def _given(kind: Mapping, call: Call) -> Section:
    values = {name: value for name, value in call.params.items() if name not in _META}
    kind.options.check_new(values)
    if kind is DIR:
        hosts = Counter(entry["node"] for entry in kind.entries(values))
        for node, times in hosts.items():
            if times > 1:
                raise failure(f"Node '{node}' is specified {times} times.")
    return filled(values)


async def create_mapping(kind: Mapping, call: Call) -> Any:
    """A new mapping."""
    values, name = _given(kind, call), call.params["id"]
    with within(f"create {kind.change} failed"):
        if name in kind.rows(call):
            raise failure(f"{kind.name} ID '{name}' already defined")
        call.lab.store.put(kind.kind, name, values)


async def change_mapping(kind: Mapping, call: Call) -> Any:
    """Change and delete options; the list of hosts is always given in full."""
    name, rows = call.params["id"], kind.rows(call)
    with within(f"update {kind.change} failed"):
        check_digest(call.params.get("digest"), rows)
        if name not in rows:
            raise failure(f"{kind.name} ID '{name}' does not exist")
        values = _given(kind, call)
        gone = split_list(call.params.get("delete", ""))
        kept = kind.options.without(rows[name], gone, values)
        call.lab.store.put(kind.kind, name, {**kept, **values})


async def delete_mapping(kind: Mapping, call: Call) -> Any:
    """Remove a mapping; one that is not there is no error."""
    call.lab.store.delete(kind.kind, call.params["id"])


def _serve(kind: Mapping, method: str, path: str, answer: Any) -> None:
    async def handler(call: Call) -> Any:
        return await answer(kind, call)

    add_handler(method, path, handler)


for _kind in (PCI, USB, DIR):
    _base = f"/cluster/mapping/{_kind.name}"
    _serve(_kind, "GET", _base, list_mappings)
    _serve(_kind, "POST", _base, create_mapping)
    _serve(_kind, "GET", f"{_base}/{{id}}", read_mapping)
    _serve(_kind, "PUT", f"{_base}/{{id}}", change_mapping)
    _serve(_kind, "DELETE", f"{_base}/{{id}}", delete_mapping)
