"""The engine's event log becomes steps, messages and a count that people can follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operate.event_log import Event, Message, Step, Summary, Tail, parse_line
from operate.progress import Tally

VM = "proxmoxve:index/vmLegacy:VmLegacy"
POOL = "proxmoxve:index/poolLegacy:PoolLegacy"
CLUSTER = "practicum:index:VirtualCluster"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:sc09::practicum::{CLUSTER}${kind}::{name}"


def step(key: str, operation: str, name: str, kind: str = VM, **more: Any) -> str:
    metadata = {"op": operation, "urn": urn(kind, name), "type": kind, **more}
    return json.dumps({"sequence": 1, "timestamp": 1, key: {"metadata": metadata}})


def started(operation: str, name: str, kind: str = VM) -> str:
    return step("resourcePreEvent", operation, name, kind)


def done(operation: str, name: str, kind: str = VM, **more: Any) -> str:
    return step("resOutputsEvent", operation, name, kind, **more)


def failed(operation: str, name: str, kind: str = VM) -> str:
    return step("resOpFailedEvent", operation, name, kind)


def said(severity: str, message: str, name: str | None = None, **more: Any) -> str:
    body = {"severity": severity, "message": message, **more}
    if name:
        body["urn"] = urn(VM, name)
    return json.dumps({"diagnosticEvent": body})


def tally(*lines: str, wanted: str = "") -> Tally:
    counted = Tally(wanted=frozenset(wanted.split()) if wanted else None)
    for line in lines:
        event = parse_line(line)
        if event is not None:
            counted.take(event)
    return counted


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            started("create", "c01-n1"),
            Step(
                state="started",
                operation="create",
                name="c01-n1",
                type="VmLegacy",
                urn=urn(VM, "c01-n1"),
            ),
        ),
        (
            done("update", "p", POOL, detailedDiff={"b": {}, "a.c": {}}),
            Step(
                state="done",
                operation="update",
                name="p (Pool)",
                type="PoolLegacy",
                urn=urn(POOL, "p"),
                fields=("a.c", "b"),
            ),
        ),
        (
            said("error", "<{%reset%}>no<{%fg 1%}> way\n", "c01-n1"),
            Message(severity="error", text="no way", name="c01-n1"),
        ),
        (
            json.dumps(
                {"diagnosticEvent": {"severity": "error", "message": "update failed",
                                     "urn": "urn:pulumi:a::b::pulumi:pulumi:Stack::b-a"}}
            ),
            Message(severity="error", text="update failed", name=None),
        ),
        (
            '{"summaryEvent": {"durationSeconds": 3, "resourceChanges": {"create": 6}, '
            '"result": "succeeded"}}',
            Summary(changes={"create": 6}, seconds=3, result="succeeded"),
        ),
        ('{"errorEvent": {"error": "boom"}}', Message(severity="error", text="boom", name=None)),
        (said("debug", "registering resource"), None),
        (said("info", "half way", ephemeral=True), None),
        ('{"preludeEvent": {"config": {}}}', None),
        ('{"cancelEvent": {}}', None),
        ('{"sequence": 1, "resourcePre', None),
        ("[]", None),
    ],
)  # fmt: skip
def test_each_line_is_the_event_that_it_stands_for(line: str, expected: Event | None) -> None:
    assert parse_line(line) == expected


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch()
    tail = Tail(path)
    line = started("create", "c01-n1").encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(line + line[:20])
        assert len(tail.events()) == 1
        assert tail.events() == []
        file.write(line[20:])
        assert len(tail.events()) == 1
    tail.close()


def test_only_wanted_guests_count_and_components_never_do() -> None:
    counted = tally(
        started("create", "c01", CLUSTER),
        done("create", "c01", CLUSTER),
        started("create", "c01-n1"),
        done("create", "c01-n1"),
        done("same", "c01-head"),
        done("delete", "c09-n1"),
        done("create", "pool", POOL),
        started("create", "c01-n2"),
        wanted="c01-head c01-n1 c01-n2",
    )
    assert counted.count == "2 of 3 guests"
    assert counted.at_work == "c01-n2"
    assert counted.changed == {"c01-n1": "create", "c09-n1": "delete", "pool (Pool)": "create"}


def test_a_replaced_guest_counts_when_it_is_there_again() -> None:
    lines = [
        started("delete-replaced", "c01-n1"),
        done("delete-replaced", "c01-n1"),
        started("replace", "c01-n1"),
        done("replace", "c01-n1"),
        started("create-replacement", "c01-n1"),
    ]
    assert tally(*lines, wanted="c01-n1").count == "0 of 1 guests"
    again = tally(*lines, done("create-replacement", "c01-n1"), wanted="c01-n1")
    assert again.count == "1 of 1 guests"
    assert again.changed == {"c01-n1": "create-replacement"}


def test_a_guest_that_was_sent_away_tells_why_and_not_by_what() -> None:
    counted = tally(
        started("create", "c01-n1"),
        said("error", 'before hook "guest-waits-for-its-turn" failed: not tried', "c01-n1"),
        failed("create", "c01-n1"),
        wanted="c01-n1",
    )
    assert counted.failed == {"c01-n1": "not tried"}


def test_a_failure_keeps_the_providers_words_and_drops_the_engines() -> None:
    counted = tally(
        started("create", "c01-n1"),
        failed("create", "c01-n1"),
        said(
            "error",
            "sdk-v2/provider2.go:566: sdk.helper_schema: error cloning VM: no room\n"
            f"creating {urn(VM, 'c01-n1')}: 1 error occurred:\n\t* error cloning VM: no room\n\n",
            "c01-n1",
        ),
        json.dumps(
            {"diagnosticEvent": {"severity": "error", "message": "update failed",
                                 "urn": "urn:pulumi:a::b::pulumi:pulumi:Stack::b-a"}}
        ),
        wanted="c01-n1",
    )  # fmt: skip
    assert list(counted.failed) == ["c01-n1"]
    assert "error cloning VM: no room" in counted.failed["c01-n1"]
    assert "urn:" not in counted.failed["c01-n1"]
    assert counted.general_errors == []
    assert counted.count == "0 of 1 guests"


def test_what_was_tried_again_and_is_done_has_not_failed() -> None:
    lines = [started("create", "c01-n1"), said("error", "got lock request timeout", "c01-n1")]
    assert tally(*lines, wanted="c01-n1").failed == {}
    counted = tally(*lines, done("create", "c01-n1"), wanted="c01-n1")
    assert (counted.failed, counted.count) == ({}, "1 of 1 guests")
    counted = tally(*lines, failed("create", "c01-n1"), wanted="c01-n1")
    assert counted.failed == {"c01-n1": "got lock request timeout"}


def test_a_refresh_tells_what_is_gone_and_what_differs() -> None:
    counted = tally(
        started("refresh", "c01-head"),
        started("refresh", "c01-n1"),
        started("refresh", "c01-n2"),
        done("same", "c01-head"),
        done("delete", "c01-n1"),
        done("update", "c01-n2", detailedDiff={"memory.dedicated": {}}),
        wanted="c01-head c01-n1 c01-n2",
    )
    assert counted.gone == {"c01-n1"}
    assert counted.drift == {"c01-n2": ("memory.dedicated",)}
    assert counted.changed == {}
    assert counted.count == "3 of 3 guests"


def test_after_a_refresh_the_real_work_counts() -> None:
    counted = tally(
        started("refresh", "c01-n1"),
        done("delete", "c01-n1"),
        started("create", "c01-n1"),
        wanted="c01-n1",
    )
    assert counted.count == "0 of 1 guests"


def test_many_names_in_work_are_cut_with_their_number() -> None:
    counted = tally(*(started("create", f"c01-n{n}") for n in range(1, 8)), wanted="c01-n1")
    assert counted.at_work == "c01-n1, c01-n2, c01-n3, c01-n4, … (7)"
