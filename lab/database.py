"""The file behind the store: made whole or not at all, checked before it is touched, migrated.

A file is first read without any right to write, all of it: pages, schema, every row with its
sum. Only what is sound is opened for writing, so a damaged file is refused as it was found.
SQLite's log (`-wal`) may end in the middle of a page, as after a power cut: what was committed
before that counts.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

SCHEMA_VERSION = 2
Object = tuple[str, str, dict[str, Any]]  # kind, key, value

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    sum INTEGER NOT NULL,
    UNIQUE (kind, key)
);
"""
_INSERT = (
    "INSERT INTO objects (kind, key, value, sum) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, sum = excluded.sum"
)


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


def row_sum(kind: str, key: str, text: str) -> int:
    """What is kept beside a row, so that a changed byte in it is noticed."""
    return zlib.crc32("\0".join((kind, key, text)).encode())


def write_row(database: sqlite3.Connection, kind: str, key: str, value: dict[str, Any]) -> None:
    """Insert or update one object inside the caller's transaction."""
    text = orjson.dumps(value).decode()
    database.execute(_INSERT, (kind, key, text, row_sum(kind, key, text)))


def open_database(path: Path) -> tuple[sqlite3.Connection, list[Object]]:
    """A connection for writing and all objects, oldest first; a new file when there is none.

    Raises `StoreError` for a file that cannot be used, which is left as it is.
    """
    try:
        if not path.exists():
            _make(path)
        with closing(_connect(path, "ro")) as reader:
            found = _check(reader)
            objects = list(_objects(reader, found))
        database = _connect(path, "rw")
        _prepare(database)
        _migrate(database, found)
    except (sqlite3.DatabaseError, orjson.JSONDecodeError) as error:
        raise StoreError(
            f"{path}: not a usable database ({error}); it was left as it is: move it away to "
            "start an empty lab, or bring back an export with `lab import`"
        ) from error
    return database, objects


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    name = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")


def _make(path: Path) -> None:
    """An empty database, under its name only when it is complete and on the disk."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise sqlite3.DatabaseError(f"the file is gone and its log {log.name} is still there")
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as database:
        database.executescript(_SCHEMA)
        database.execute("INSERT INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
        _prepare(database)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(database: sqlite3.Connection) -> int:
    """The schema's version; `DatabaseError` for a file with damage or of a newer lab."""
    result = database.execute("PRAGMA quick_check").fetchone()[0]
    if result != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {' '.join(str(result).split())}")
    row = database.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    found = int(row[0]) if row and str(row[0]).isdigit() else 0
    if not 1 <= found <= SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"its schema is {row[0] if row else 'unknown'}, this lab's is {SCHEMA_VERSION}"
        )
    return found


def _objects(database: sqlite3.Connection, version: int) -> Iterator[Object]:
    column = "sum" if version > 1 else "NULL"
    query = f"SELECT kind, key, value, {column} FROM objects ORDER BY seq"  # noqa: S608 - fixed words
    for kind, key, text, kept in database.execute(query):
        if kept is not None and kept != row_sum(kind, key, text):
            raise sqlite3.DatabaseError(f"it is damaged: {kind} {key} is not what was written")
        yield kind, key, orjson.loads(text)


def _migrate(database: sqlite3.Connection, found: int) -> None:
    """Bring an older schema up to date, step by step, in one transaction."""
    if found == SCHEMA_VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        for version in range(found, SCHEMA_VERSION):
            _STEPS[version](database)
        text = str(SCHEMA_VERSION)
        database.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (text,))
        database.execute("COMMIT")
    except sqlite3.Error:
        database.execute("ROLLBACK")
        raise


def _add_sums(database: sqlite3.Connection) -> None:
    """Schema 1 kept rows without a sum."""
    database.execute("ALTER TABLE objects ADD COLUMN sum INTEGER NOT NULL DEFAULT 0")
    rows = database.execute("SELECT seq, kind, key, value FROM objects").fetchall()
    sums = [(row_sum(kind, key, text), seq) for seq, kind, key, text in rows]
    database.executemany("UPDATE objects SET sum = ? WHERE seq = ?", sums)


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _add_sums}
