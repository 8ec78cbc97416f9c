"""The engine of a lab's guests: kept as long as there are any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engines.choice import ChoiceError, check, facts, kept, note
from lab.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "lab.db")
    yield made
    made.close()


def settle(state: Path, store: Store, engine: str) -> None:
    """What a start of the lab does."""
    check(state, store, engine)
    note(state, engine)


def add_guest(store: Store, vmid: str = "101", **config: object) -> None:
    store.put("qemu", vmid, {"config": config})


def test_a_lab_without_guests_takes_whatever_it_is_started_with(
    tmp_path: Path, store: Store
) -> None:
    add_guest(store, "9000", template=1)
    for name in ("none", "lxc", "none"):
        settle(tmp_path, store, name)
        assert kept(tmp_path) == name
    assert facts(tmp_path, store)["kept"] is None


def test_a_lab_with_guests_refuses_another_engine_and_says_which_one_it_has(
    tmp_path: Path, store: Store
) -> None:
    settle(tmp_path, store, "none")
    add_guest(store)
    settle(tmp_path, store, "none")
    with pytest.raises(ChoiceError, match="1 guests of this lab were made with the engine none"):
        settle(tmp_path, store, "lxc")
    assert kept(tmp_path) == "none"
    assert facts(tmp_path, store)["kept"] == "none"


def test_an_older_lab_is_known_by_its_disks_and_starts_as_its_file_says(
    tmp_path: Path, store: Store
) -> None:
    add_guest(store)
    assert facts(tmp_path, store)["kept"] == "none"
    (tmp_path / "guests").mkdir()
    assert facts(tmp_path, store)["kept"] == "lxc"
    settle(tmp_path, store, "none")
    assert kept(tmp_path) == "none"


def test_a_new_lab_has_no_engine_yet(tmp_path: Path) -> None:
    assert kept(tmp_path / "absent") is None
