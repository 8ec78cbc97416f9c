"""A file that is damaged, or of another time, is refused in one message and left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from lab import database
from lab.database import SCHEMA_VERSION
from lab.store import Store, StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with five hundred rows."""
    path = tmp_path / "lab.db"
    store = Store(path)
    for number in range(500):
        store.put("k", str(number), {"text": "x" * 100})
    store.close()
    return path


def contents(path: Path) -> dict[str, bytes]:
    """What the folder's files hold; that SQLite leaves an empty log and its index is no change."""
    files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    return {name: held for name, held in files.items() if held and not name.endswith("-shm")}


def _overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\xff" * 12288
    path.write_bytes(content)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _change_row(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE objects SET value = '{\"text\":\"y\"}' WHERE key = '7'")


def _break_json(path: Path) -> None:
    text = '{"text'
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE objects SET value = ?, sum = ? WHERE key = '7'",
            (text, database.row_sum("k", "7", text)),
        )


def _from_the_future(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")


def _lose_file(path: Path) -> None:
    path.unlink()
    path.with_name("lab.db-wal").write_bytes(b"x" * 4120)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_overwrite, ""),
        (_cut, ""),
        (lambda path: path.write_bytes(b""), ""),
        (lambda path: path.write_bytes(b"junk" * 5000), "file is not a database"),
        (_change_row, "it is damaged: k 7 is not what was written"),
        (_break_json, ""),
        (_from_the_future, f"its schema is 99, this lab's is {SCHEMA_VERSION}"),
        (_lose_file, "the file is gone and its log lab.db-wal is still there"),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(
    path: Path, damage: Callable[[Path], object], text: str
) -> None:
    damage(path)
    before = contents(path)
    with pytest.raises(StoreError) as refused:
        Store(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: not a usable database (")
    assert text in message
    assert "left as it is: move it away" in message
    assert "\n" not in message
    assert contents(path) == before


def test_a_flipped_bit_in_a_row_is_noticed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.index(b'{"text":"xxx') + 20
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not what was written"):
        Store(path)


def test_no_name_of_a_database_is_there_before_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lab.db"
    monkeypatch.setattr(database, "_SCHEMA", "CREATE TABLE meta (broken")
    with pytest.raises(StoreError):
        Store(path)
    assert not path.exists()
    monkeypatch.undo()
    Store(path).close()


@pytest.fixture
def first_schema(tmp_path: Path) -> Path:
    """A database as the first version of the lab wrote it."""
    path = tmp_path / "lab.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
            "CREATE TABLE objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
            " key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, key));"
            "INSERT INTO meta VALUES ('schema', '1');"
        )
        rows = [("k", str(n), orjson.dumps({"n": n}).decode()) for n in (3, 1, 2)]
        connection.executemany("INSERT INTO objects (kind, key, value) VALUES (?, ?, ?)", rows)
    return path


def test_a_database_of_the_first_schema_is_brought_up_to_date(first_schema: Path) -> None:
    for _ in range(2):
        store = Store(first_schema)
        assert store.items("k") == [("3", {"n": 3}), ("1", {"n": 1}), ("2", {"n": 2})]
        store.close()
    with sqlite3.connect(first_schema) as connection:
        version = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    assert version == (str(SCHEMA_VERSION),)


def test_a_migration_that_fails_leaves_the_old_schema(
    first_schema: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM objects")
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setitem(database._STEPS, 1, broken)
        with pytest.raises(StoreError, match="disk is full"):
            Store(first_schema)
    assert len(Store(first_schema).items("k")) == 3
