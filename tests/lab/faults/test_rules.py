"""What cannot be asked for is refused with the setting's name and what would be allowed."""

from __future__ import annotations

from typing import Any

import pytest

from lab.faults.kinds import KINDS
from lab.faults.rule import FaultError, make_rule
from tests.lab.served import ServedLab


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"kind": "boom"}, "'boom' is no kind of fault; write one of status, delay"),
        ({}, "None is no kind of fault"),
        ({"kind": "status"}, "status: a fault of kind status needs it"),
        ({"kind": "status", "status": 200}, "status: 200 is not allowed; write a whole number"),
        ({"kind": "drop", "task": "qmclone"}, "task: a fault of kind drop does not take it"),
        ({"kind": "drop", "index": "0"}, "index: '0' is not allowed; write 3, 2-5"),
        ({"kind": "drop", "index": "x"}, "index: 'x' is not allowed"),
        ({"kind": "drop", "count": True}, "count: True is not allowed"),
        ({"kind": "drop", "chance": 1.5}, "chance: 1.5 is not allowed; write a number from 0 to 1"),
        ({"kind": "drop", "method": "FETCH"}, "method: 'FETCH' is not allowed; write one of GET"),
        ({"kind": "field", "field": "x"}, "field: 'x' is not allowed; write NAME=VALUE"),
        ({"kind": "lock-held"}, "lock-held needs one of vmid, storage, file"),
        ({"kind": "lock-held", "vmid": 100, "file": "user.cfg"}, "needs one of"),
        ({"kind": "host-offline"}, "host: a fault of kind host-offline needs it"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultError) as refused:
        make_rule(1, asked)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"kind": "host-offline", "host": "x"}, "host: there is no 'x'; there are pve1, pve2"),
        ({"kind": "storage-full", "storage": "x"}, "storage: there is no 'x'"),
        ({"kind": "guest-locked", "vmid": 999, "text": "backup"}, "there is no guest 999"),
    ],
)
def test_names_must_be_the_clusters(lab: ServedLab, asked: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultError) as refused:
        lab.fault(**asked)
    assert text in str(refused.value)
    assert lab.lab.faults.listed() == []


def test_every_kind_says_what_it_does() -> None:
    assert all(len(kind.what) > 20 for kind in KINDS.values())
