"""Any sequence of writes, commits, failures and new starts leaves what a mapping would hold."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.store import Store

KEYS = st.sampled_from("abcde")
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.dictionaries(st.text(), st.integers(-9, 9), max_size=2)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.sampled_from(["commit", "fail", "reopen"])),
)


class Pair:
    """A store and the mapping that it has to equal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path)
        self.mapping: dict[str, Any] = {}

    def put(self, key: str, value: dict[str, int]) -> None:
        self.store.put("k", key, value)
        self.mapping[key] = value

    def delete(self, key: str) -> None:
        self.store.delete("k", key)
        self.mapping.pop(key, None)

    def commit(self) -> None:
        self.store.commit()

    def fail(self) -> None:
        """A commit that the disk refuses: nothing is lost, the next one has it."""

        def full(_rows: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with pytest.MonkeyPatch.context() as patch, suppress(sqlite3.OperationalError):
            patch.setattr(self.store, "_write", full)
            self.store.commit()

    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.path)


@contextmanager
def pair() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        made = Pair(Path(folder) / "lab.db")
        yield made
        made.store.close()


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_store_holds_what_a_mapping_would_in_the_same_order(steps: list[Any]) -> None:
    with pair() as both:
        for name, *arguments in steps:
            getattr(both, name)(*arguments)
            assert both.store.items("k") == list(both.mapping.items())
        both.reopen()
        assert both.store.items("k") == list(both.mapping.items())
