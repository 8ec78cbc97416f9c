"""Objects of the lab in memory, written through to SQLite so that an answered write is kept.

Reads never touch the disk. The first write after a commit opens a batch; `commit` writes the
batch in one transaction, flushed to disk (`synchronous=FULL` in WAL mode), so that whatever was
answered survives SIGKILL. The event loop alone changes objects; one thread writes the batches in
their order, and waits for the disk while the loop goes on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.database import StoreError, open_database, write_row

__all__ = ["Store", "StoreError", "Value"]
Value = dict[str, Any]
_Row = tuple[str, str, bool, Value | None]  # kind, key, whether the old row goes first, new value


class Store:
    """Rows of JSON by (kind, key).

    Dicts that come out are the store's own: change a copy and `put` it. `generation` counts all
    writes, `generation_of(kinds...)` those to some kinds; caches compare them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._kinds: dict[str, dict[str, Value]] = defaultdict(dict)
        self._generations: dict[str, int] = defaultdict(int)
        # (kind, key) -> whether the row in the database is to go first
        self._batch: dict[tuple[str, str], bool] = {}
        self._durable = 0  # the generation up to which everything is on the disk
        self._writer = ThreadPoolExecutor(1, "store")
        self._writing: asyncio.Future[None] | None = None
        self._database, objects = open_database(path)
        for kind, key, value in objects:
            self._kinds[kind][key] = value

    def get(self, kind: str, key: str) -> Value | None:
        """The object, or None."""
        return self._kinds[kind].get(key)

    def items(self, kind: str) -> list[tuple[str, Value]]:
        """All objects of a kind as (key, value), in the order they were first put."""
        return list(self._kinds[kind].items())

    def objects(self) -> Iterator[tuple[str, str, Value]]:
        """Everything as (kind, key, value), each kind in its own order."""
        for kind, rows in self._kinds.items():
            for key, value in rows.items():
                yield kind, key, value

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._kinds[kind])

    def put(self, kind: str, key: str, value: Value) -> None:
        """Write an object; it is durable after the next commit."""
        if key in self._kinds[kind]:
            self._batch.setdefault((kind, key), False)
        else:
            # It goes behind all that is there, whatever was there under its name.
            self._batch.pop((kind, key), None)
            self._batch[kind, key] = True
        self._kinds[kind][key] = value
        self._count(kind)

    def delete(self, kind: str, key: str) -> None:
        """Remove an object; an absent one is no error."""
        if self._kinds[kind].pop(key, None) is not None:
            self._batch[kind, key] = True
            self._count(kind)

    def generation_of(self, *kinds: str) -> int:
        """How often objects of these kinds were written since the store was opened."""
        return sum(self._generations[kind] for kind in kinds)

    def _count(self, kind: str) -> None:
        self.generation += 1
        self._generations[kind] += 1

    def commit(self) -> None:
        """Write what is open in one transaction; returns when it is on the disk."""
        rows, reach = self._take(), self.generation
        if rows:
            try:
                self._writer.submit(self._write, rows).result()
            except sqlite3.Error:
                self._give_back(rows)
                raise
        self._durable = max(self._durable, reach)

    async def flush(self) -> None:
        """The same without holding up the loop: writes of many callers share a transaction."""
        target = self.generation
        while self._durable < target:
            if self._writing is None:
                self._writing = asyncio.ensure_future(self._write_out())
            await asyncio.shield(self._writing)

    async def _write_out(self) -> None:
        rows, reach = self._take(), self.generation
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._writer, self._write, rows)
            self._durable = max(self._durable, reach)
        except (sqlite3.Error, asyncio.CancelledError):
            # Cancelled while queued behind another batch, it never ran; had it run, writing the
            # same rows again does no harm.
            self._give_back(rows)
            raise
        finally:
            self._writing = None

    def _take(self) -> list[_Row]:
        batch, self._batch = self._batch, {}
        return [
            (kind, key, removed, self._kinds[kind].get(key))
            for (kind, key), removed in batch.items()
        ]

    def _give_back(self, rows: list[_Row]) -> None:
        """What could not be written stays open, before what came later: the next commit tries
        again."""
        newer, self._batch = self._batch, {(kind, key): gone for kind, key, gone, _ in rows}
        for place, removed in newer.items():
            if removed:
                self._batch.pop(place, None)
            self._batch.setdefault(place, removed)

    def _write(self, rows: list[_Row]) -> None:
        """One transaction, in the writer's thread."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            for kind, key, removed, value in rows:
                if removed:
                    database.execute("DELETE FROM objects WHERE kind = ? AND key = ?", (kind, key))
                if value is not None:
                    write_row(database, kind, key, value)
            database.execute("COMMIT")
        except BaseException:  # also what a row's value breaks: no transaction stays open
            database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Commit and close the database."""
        self.commit()
        self._writer.shutdown()
        self._database.close()
