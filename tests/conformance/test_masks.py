"""What is hidden before answers are compared, and VMIDs that are moved to where there is room."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.masks import Mask, Vmids, differences


@pytest.mark.parametrize(
    "text",
    ["40751", "nodes/pve1/lxc/40751.conf", "vm-40751-disk-0", "CT40751", "40700,40751", "40700:1"],
)
def test_vmids_are_moved_and_come_back(text: str) -> None:
    vmids = Vmids(71000)
    moved = vmids.moved(text)
    assert moved == text.replace("40751", "71751").replace("40700", "71700")
    assert vmids.back(moved) == text


@pytest.mark.parametrize("text", ["0.40751", "140751", "10.0.40.751", "40800", "39999"])
def test_other_numbers_stay(text: str) -> None:
    assert Vmids(71000).moved(text) == text


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"status": "ok", "uptime": 5}, {"status": "ok", "uptime": "<number>"}),
        ({"maxmem": 5}, {"maxmem": "<number>"}),
        ({"vmid": 100, "maxmem": 5}, {"vmid": 100, "maxmem": 5}),
        ({"content": "iso,backup"}, {"content": "backup,iso"}),
        (["b", "a"], ["a", "b"]),
        ("host one is pve1, not pve12", "host one is {node}, not pve12"),
        ("virtio=BC:24:11:00:00:01", "virtio=<mac>"),
    ],
)
def test_what_differs_from_run_to_run_gets_a_word(value: Any, masked: Any) -> None:
    assert Mask({"node": "pve1"}).value(value) == masked


def test_differences_name_their_places() -> None:
    wanted = {"a": 1, "b": [1, 2], "c": "1"}
    assert list(differences(wanted, {"a": 2, "b": [1, 3], "d": 1})) == [
        "a: 2 instead of 1",
        "b[1]: 3 instead of 2",
        'c: missing, "1" was expected',
        "d: 1 was not expected",
    ]
