"""What a lab starts with: hosts with the network ports that a site's bridges need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.seed import apply_seed
from lab.store import Store


def seeded(path: Path, *seeds: dict[str, Any]) -> tuple[Store, list[str]]:
    """A store that was given these seeds one after the other, and what the last one added."""
    store = Store(path / "lab.db")
    added: list[str] = []
    for seed in seeds:
        added = apply_seed(store, seed)
    return store, added


def hosts(*ports: str) -> dict[str, Any]:
    return {"cluster": "lab", "nodes": [{"name": "n01", "ports": list(ports)}]}


def test_a_host_has_the_ports_that_its_bridges_need(tmp_path: Path) -> None:
    store, added = seeded(tmp_path, hosts("eth1", "eno2"))
    assert "port eno2 of n01" in added
    row = store.get("iface", "n01/eth1")
    assert row is not None
    assert row["applied"]["type"] == "eth"


def test_a_port_that_is_named_later_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    _, added = seeded(tmp_path, hosts("eth1"), hosts("eth1", "eth2"))
    assert added == ["port eth2 of n01"]


def test_the_same_seed_again_adds_nothing(tmp_path: Path) -> None:
    _, added = seeded(tmp_path, hosts("eth1"), hosts("eth1"))
    assert added == []
