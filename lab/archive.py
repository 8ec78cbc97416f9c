"""Export and import: everything a lab knows, as plain JSON that people and programs can read.

The file is `{"format": "practicum-lab", "version": 1, "objects": [{"kind", "key", "value"}, …]}`,
objects in the order they were made. It holds hashes of passwords and tokens, so it is written with
mode 0600. What belongs to a state folder and not to the cluster stays out: the folder's own token,
tickets, certificates, root's password, and the bytes of files that were uploaded.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.store import Store, Value

FORMAT = "practicum-lab"
VERSION = 1
Entry = dict[str, Any]


class ArchiveError(Exception):
    """An export that cannot be written or read; the text says where and why."""


def entries(store: Store) -> Iterator[Entry]:
    """The objects of an export."""
    for kind, key, value in store.objects():
        if not _is_of_folder(kind, value):
            yield {"kind": kind, "key": key, "value": value}


def _is_of_folder(kind: str, value: Value) -> bool:
    return kind == "token" and bool(value.get("of_lab"))


def export(store: Store, target: Path) -> int:
    """Write everything to a file, whole or not at all; how many objects it has."""
    found = list(entries(store))
    content = {"format": FORMAT, "version": VERSION, "objects": found}
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ArchiveError(f"{target}: cannot be written ({error.strerror})") from error
    return len(found)


def read(source: Path) -> list[Entry]:
    """The objects of an export; `ArchiveError` that names the first thing that is wrong."""
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{source}: not readable as JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArchiveError(f'{source}: not an export of a lab ("format" is not "{FORMAT}")')
    if content.get("version") != VERSION:
        raise ArchiveError(f"{source}: version {content.get('version')}, this lab reads {VERSION}")
    objects = content.get("objects")
    if not isinstance(objects, list):
        raise ArchiveError(f'{source}: "objects" is not a list')
    _check(source, objects)
    return objects


def _check(source: Path, objects: list[Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for number, entry in enumerate(objects):
        where = f"{source}: objects[{number}]"
        if not isinstance(entry, dict) or set(entry) != {"kind", "key", "value"}:
            raise ArchiveError(f"{where} is not an object of kind, key and value")
        place = (entry["kind"], entry["key"])
        if not all(isinstance(part, str) for part in place):
            raise ArchiveError(f"{where}: kind and key are not texts")
        if not isinstance(entry["value"], dict):
            raise ArchiveError(f"{where}: the value of {' '.join(place)} is not an object")
        if place in seen:
            raise ArchiveError(f"{where}: {' '.join(place)} is there twice")
        seen.add(place)


def load(store: Store, objects: list[Entry], folder: Path) -> list[str]:
    """Put an export in place of all that the store has, in one transaction.

    `folder` is the state folder; the names of volumes whose uploaded file is not in it are
    returned: they go on as images without content.
    """
    wanted = {(entry["kind"], entry["key"]) for entry in objects}
    for kind, key, value in list(store.objects()):
        if (kind, key) not in wanted and not _is_of_folder(kind, value):
            store.delete(kind, key)
    absent = []
    for entry in objects:
        kind, key, value = entry["kind"], entry["key"], dict(entry["value"])
        if kind == "volume" and value.get("file") and not (folder / value["file"]).is_file():
            del value["file"]
            absent.append(key)
        # Written anew, so that the order is that of the export.
        store.delete(kind, key)
        store.put(kind, key, value)
    store.commit()
    return absent
