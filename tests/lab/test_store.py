"""What is written is kept, in order, and never half."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lab.store import Store, StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab.db"


def reopened(store: Store, path: Path) -> Store:
    store.close()
    return Store(path)


def test_an_object_is_there_after_a_commit_and_a_new_start(path: Path) -> None:
    store = Store(path)
    store.put("pool", "a", {"n": 1})
    assert reopened(store, path).get("pool", "a") == {"n": 1}


def test_what_was_not_committed_is_gone_after_a_kill(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from lab.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.put('k', 'a', {}); store.commit()\n"
        "store.put('k', 'b', {}); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -9
    assert [key for key, _ in Store(path).items("k")] == ["a"]


def test_objects_keep_the_order_of_their_first_write(path: Path) -> None:
    store = Store(path)
    for key in "cab":
        store.put("k", key, {})
    store.put("k", "c", {"again": 1})
    store.commit()
    store.delete("k", "a")
    store.put("k", "a", {})
    store.put("k", "b", {"again": 1})
    order = [key for key, _ in store.items("k")]
    assert order == ["c", "b", "a"]
    assert [key for key, _ in reopened(store, path).items("k")] == order


def test_deleting_what_is_absent_is_no_write(path: Path) -> None:
    store = Store(path)
    store.delete("k", "a")
    assert store.generation == 0


def test_generations_count_the_writes_of_some_kinds(path: Path) -> None:
    store = Store(path)
    store.put("a", "x", {})
    store.put("b", "x", {})
    store.delete("b", "x")
    assert (store.generation, store.generation_of("a"), store.generation_of("a", "b")) == (3, 1, 3)


def test_an_object_made_and_removed_between_commits_leaves_nothing(path: Path) -> None:
    store = Store(path)
    store.put("k", "a", {})
    store.delete("k", "a")
    assert reopened(store, path).items("k") == []


def test_a_damaged_database_is_named_with_a_way_out(path: Path) -> None:
    store = Store(path)
    for number in range(500):
        store.put("k", str(number), {"text": "x" * 100})
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:20480] = b"\xff" * 16384
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"lab\.db: .*move it away"):
        Store(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("not a database, but long enough to have a header of its own" * 100)
    with pytest.raises(StoreError, match="not a usable database"):
        Store(path)


def test_a_database_of_another_schema_is_refused(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="its schema is 999"):
        Store(path)


def test_writes_of_many_callers_share_a_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(path)
    written: list[int] = []
    write = store._write

    def counted(rows: list[Any]) -> None:
        written.append(len(rows))
        write(rows)

    monkeypatch.setattr(store, "_write", counted)

    async def caller(number: int) -> None:
        store.put("k", str(number), {})
        await store.flush()
        with sqlite3.connect(path) as reader:
            query = "SELECT count(*) FROM objects WHERE key = ?"
            assert reader.execute(query, (str(number),)).fetchone() == (1,)

    async def all_callers() -> None:
        await asyncio.gather(*(caller(number) for number in range(50)))

    asyncio.run(all_callers())
    assert sum(written) == 50
    assert len(written) < 10


def test_rows_that_were_queued_when_their_flush_was_cancelled_are_written_later(
    path: Path,
) -> None:
    store, busy = Store(path), threading.Event()

    async def body() -> None:
        store._writer.submit(busy.wait)
        store.put("k", "a", {"n": 1})
        store.put("k", "b", {})
        flushing = asyncio.ensure_future(store.flush())
        await asyncio.sleep(0.01)
        assert store._writing is not None
        store._writing.cancel()
        await asyncio.wait([flushing])
        store.delete("k", "b")
        store.put("k", "c", {})
        busy.set()
        await store.flush()

    asyncio.run(body())
    assert reopened(store, path).items("k") == [("a", {"n": 1}), ("c", {})]


def test_what_could_not_be_written_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(rows: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = Store(path)
    store.put("k", "a", {})
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", full)
        with pytest.raises(sqlite3.OperationalError):
            asyncio.run(store.flush())
    assert reopened(store, path).get("k", "a") == {}


def test_a_value_that_cannot_be_written_leaves_no_transaction_open(path: Path) -> None:
    store = Store(path)
    store.put("k", "a", {"n": 2**70})
    with pytest.raises(TypeError):
        asyncio.run(store.flush())
    store.put("k", "a", {"n": 1})
    asyncio.run(store.flush())
    assert reopened(store, path).get("k", "a") == {"n": 1}
