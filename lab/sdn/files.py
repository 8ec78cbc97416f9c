"""The SDN files and the state that was applied last.

A row of kind `sdn-zones` (and so on) is one section of a file as it is to be. Applying copies all
files into one row, `sdn-running`, and counts its version; each host remembers in `sdn-host` which
version its network was made from. Rows of kind `vnet` are the applied virtual networks: bridges
for guests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.digest import CHANGED, digest_of, told
from lab.errors import failure
from lab.section_file import Section
from lab.store import Store

RUNNING = "sdn-running"
HOST = "sdn-host"
LOCK = "sdn-lock"
Sections = Mapping[str, Section]
# These two stand beside the state, not under `pending`: they cannot change.
_IDENTITY = ("type", "vnet")
_LISTS = ("nodes", "exitnodes", "dhcp-range", "interfaces")


@dataclass(frozen=True, slots=True, kw_only=True)
class SdnFile:
    """One file: `name` in the path, `key` of the id in answers, and how a missing one is told."""

    name: str
    key: str
    noun: str

    @property
    def kind(self) -> str:
        """The kind of its rows in the store."""
        return f"sdn-{self.name}"

    def read(self, store: Store) -> dict[str, Section]:
        """All sections as they are to be."""
        return dict(store.items(self.kind))

    def find(self, sections: Sections, name: str) -> Section:
        """One of some sections; 500 when it is not there."""
        found = sections.get(name)
        if found is None:
            raise failure(f"{self.noun} '{name}' does not exist")
        return found

    def running(self, store: Store) -> dict[str, Section]:
        """All sections as they were applied last."""
        found: dict[str, Section] = (store.get(RUNNING, "config") or {}).get(self.name, {})
        return found

    def pending(self, store: Store) -> dict[str, Section]:
        """Both states in one: what is applied, and under `pending` what differs from it."""
        return pending_of(self.running(store), self.read(store))

    def check_digest(self, store: Store, given: str | None) -> None:
        """500 when the caller saw another state of the file."""
        if told(given) and given != digest_of(self.read(store)):
            raise failure(CHANGED)

    def view(self, store: Store, params: Mapping[str, Any]) -> tuple[dict[str, Section], Any]:
        """The sections that a read asks for, and their digest: only the file itself has one."""
        if params.get("pending"):
            return self.pending(store), None
        if params.get("running"):
            return self.running(store), None
        sections = self.read(store)
        return sections, digest_of(sections)


ZONES = SdnFile(name="zones", key="zone", noun="sdn")
VNETS = SdnFile(name="vnets", key="vnet", noun="sdn vnet")
SUBNETS = SdnFile(name="subnets", key="subnet", noun="sdn subnet")
CONTROLLERS = SdnFile(name="controllers", key="controller", noun="sdn")
FABRICS = SdnFile(name="fabrics", key="id", noun="fabric")
FABRIC_NODES = SdnFile(name="fabric-nodes", key="node_id", noun="node")
FILES = (ZONES, VNETS, SUBNETS, CONTROLLERS, FABRICS, FABRIC_NODES)


def pending_of(running: Sections, wanted: Sections) -> dict[str, Section]:
    """Every section of either state with its `state` and what is `pending`."""
    names = sorted({*running, *wanted})
    return {name: _compared(running.get(name), wanted.get(name)) for name in names}


def _compared(running: Section | None, wanted: Section | None) -> Section:
    shown: Section = dict(running or {})
    if wanted is None:
        return {**shown, "state": "deleted", "pending": {}}
    changed: Section = {}
    for key in (running or {}).keys() - wanted.keys():
        changed[key] = "deleted"
    for key, value in wanted.items():
        if key in _IDENTITY:
            shown[key] = value
        elif running is None or key not in running or _flat(key, value) != _flat(key, running[key]):
            changed[key] = value
    if running is None:
        return {**shown, "state": "new", "pending": changed}
    return {**shown, "state": "changed", "pending": changed} if changed else shown


def _flat(key: str, value: Any) -> str | None:
    """A value as text, lists without regard to their order."""
    if key in _LISTS and isinstance(value, list):
        return ",".join(sorted(value))
    return None if value is None else str(value)


def has_pending(store: Store) -> bool:
    """Whether anything waits to be applied."""
    return any("state" in section for file in FILES for section in file.pending(store).values())


def commit(store: Store) -> None:
    """Make the files the applied state; hosts follow when they reload their network."""
    before = store.get(RUNNING, "config") or {"version": 0}
    state: dict[str, Any] = {file.name: file.read(store) for file in FILES}
    store.put(RUNNING, "config", {"version": before["version"] + 1, **state})
    for name, _ in store.items("vnet"):
        if name not in state["vnets"]:
            store.delete("vnet", name)
    for name, vnet in state["vnets"].items():
        store.put("vnet", name, vnet)


def roll_back(store: Store) -> None:
    """Make the applied state the files again."""
    for file in FILES:
        running = file.running(store)
        for name in file.read(store).keys() - running.keys():
            store.delete(file.kind, name)
        for name, section in running.items():
            store.put(file.kind, name, section)


def version(store: Store) -> int:
    """How often something was applied."""
    return int((store.get(RUNNING, "config") or {"version": 0})["version"])


def reloaded(store: Store, node: str) -> None:
    """A host has made its network anew, from the applied state."""
    if (now := version(store)) and store.get(HOST, node) != {"version": now}:
        store.put(HOST, node, {"version": now})


def on_node(zone: Section, node: str) -> bool:
    """Whether a zone is on a host; without a list it is on all."""
    return "nodes" not in zone or node in str(zone["nodes"]).split(",")
