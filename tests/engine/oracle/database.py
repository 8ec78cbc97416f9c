"""The lab's database, read from beside the lab: rows as they were written, and whose they are."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

Row = tuple[str, str]
"""Kind and key of an object."""

Rows = dict[Row, str]
"""Objects of the cluster with their values, as the text that is in the database."""

SETTLE_S = 120.0
GUESTS = ("qemu", "lxc")
TASK = "task"
FLEETING = (TASK, "ha-status")
"""Kinds that tell what was done or is being done, not what is."""


def read(database: Path) -> Rows:
    """All objects that last, from a connection that cannot write."""
    return {row: text for row, text in _all(database) if row[0] not in FLEETING}


def settled(database: Path) -> Rows:
    """The same, once no task is at work any more: a run may end while its tasks go on."""
    end = time.monotonic() + SETTLE_S
    while at_work := [
        key
        for (kind, key), text in _all(database)
        if kind == TASK and json.loads(text)["status"] is None
    ]:
        assert time.monotonic() < end, f"tasks do not end: {at_work}"
        time.sleep(0.1)
    return read(database)


def _all(database: Path) -> list[tuple[Row, str]]:
    name = f"file:{quote(str(database.absolute()))}?mode=ro"
    with closing(sqlite3.connect(name, uri=True, timeout=30)) as connection:
        found = connection.execute("SELECT kind, key, value FROM objects ORDER BY seq")
        return [((kind, key), text) for kind, key, text in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What tells an event's objects from all others: its name, and its range of VMIDs."""

    name: str
    vmids: range

    @classmethod
    def of(cls, stack_file: Path) -> Event:
        """The event of a stack file, read as text."""
        found = re.search(r"^ +vmids: (\d+)-(\d+)", stack_file.read_text(), re.MULTILINE)
        assert found, f"{stack_file} names no range of VMIDs"
        name = stack_file.name.split(".")[1]
        return cls(name=name, vmids=range(int(found[1]), int(found[2]) + 1))

    def marks(self, value: dict[str, Any]) -> bool:
        """Whether a guest carries the event's mark, in its tags or its description."""
        config = value["config"]
        tags = set(str(config.get("tags", "")).split(";"))
        text = str(config.get("description", ""))
        return {"practicum", self.name} <= tags or text.startswith(f"practicum:{self.name}:")

    def rows(self, rows: Rows) -> Rows:
        """The event's objects among all."""
        foreign = {
            key
            for (kind, key), text in rows.items()
            if kind in GUESTS and not self.marks(json.loads(text))
        }
        return {row: text for row, text in rows.items() if self._owns(row, text, foreign)}

    def _owns(self, row: Row, text: str, foreign: set[str]) -> bool:
        kind, key = row
        value = json.loads(text)
        if kind in GUESTS:
            return self.marks(value)
        if kind == "volume":
            return self._in_range(value["vmid"], foreign)
        if kind == "ha-resource":
            return self._in_range(key.rpartition(":")[2], foreign)
        if kind == "firewall":
            place, _, name = key.partition("/")
            if place == "vm":
                return self._in_range(name, foreign)
            return place == "group" and name.startswith(f"{self.name}-")
        words = f"{key} {value.get('comment', '')} {value.get('comments', '')}"
        named = re.search(rf"practicum[-:]{re.escape(self.name)}(?![a-z0-9])", words)
        return named is not None

    def _in_range(self, vmid: object, foreign: set[str]) -> bool:
        return str(vmid).isdigit() and int(str(vmid)) in self.vmids and str(vmid) not in foreign

    def guests(self, rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
        """VMIDs and rows of the event's guests."""
        for (kind, key), text in self.rows(rows).items():
            if kind in GUESTS:
                yield int(key), json.loads(text)


OF_EACH_ONE = {"meta", "smbios1", "vmgenid", "digest", "cipassword"}
"""Keys of a guest's configuration that every making fills anew; a password has a salt."""

OF_THE_MOMENT = {"since", "pid", "ctime"}
"""Keys of a row that say when it was made or switched on."""


def plain(rows: Rows) -> dict[Row, Any]:
    """Rows without what differs from one making to the next."""
    found: dict[Row, Any] = {}
    for row, text in rows.items():
        value = {key: each for key, each in json.loads(text).items() if key not in OF_THE_MOMENT}
        if row[0] in GUESTS:
            value["config"] = {
                key: each for key, each in value["config"].items() if key not in OF_EACH_ONE
            }
            value["password"] = "cipassword" in json.loads(text)["config"]
        if row[0] == "pool":
            value["vms"] = sorted(value["vms"])
        found[row] = value
    return found
