"""Faults of answers: which requests are struck, what is sent, and whether the work is done."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest

from tests.lab.served import ServedLab

LOST = (ConnectionError, http.client.HTTPException, OSError)


def pools(lab: ServedLab) -> list[str]:
    lab.mend()
    return [
        pool["poolid"] for pool in lab.client_with(lab.client.headers).call("GET", "pools").ok()
    ]


def lose(lab: ServedLab, name: str = "p") -> None:
    client = lab.client_with(lab.client.headers)
    with pytest.raises(LOST):
        client.call("POST", "pools", poolid=name)
    client.close()


def test_a_status_with_its_text_comes_in_place_of_the_work(lab: ServedLab) -> None:
    lab.fault("status", status=500, text="out of order", method="POST", path="/pools")
    answer = lab.call("POST", "pools", poolid="p")
    assert (answer.status, answer.reason, answer.message) == (500, "out of order", "out of order\n")
    assert pools(lab) == []


def test_a_status_after_the_work_hides_that_it_was_done(lab: ServedLab) -> None:
    lab.fault("status", status=500, text="too late", method="POST", after=True)
    assert lab.call("POST", "pools", poolid="p").reason == "too late"
    assert pools(lab) == ["p"]


@pytest.mark.parametrize("status", [401, 595, 596])
def test_statuses_of_the_front_have_no_body(lab: ServedLab, status: int) -> None:
    lab.fault("status", status=status, text="Connection timed out", path="/version")
    answer = lab.call("GET", "version")
    assert (answer.status, answer.reason, answer.body) == (status, "Connection timed out", b"")


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize(("after", "there"), [(False, []), (True, ["p"])])
def test_a_lost_connection_says_nothing_of_the_work(
    lab: ServedLab, kind: str, after: bool, there: list[str]
) -> None:
    lab.fault(kind, method="POST", path="/pools", after=after, count=1)
    lose(lab)
    assert pools(lab) == there


def test_a_reset_is_felt_as_one(lab: ServedLab) -> None:
    lab.fault("reset", path="/version")
    client = lab.client_with(lab.client.headers)
    with pytest.raises(ConnectionResetError):
        client.call("GET", "version")


def test_half_an_answer_ends_in_the_middle_and_the_work_is_done(lab: ServedLab) -> None:
    lab.fault("half", method="GET", path="/nodes")
    client = lab.client_with(lab.client.headers)
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.call("GET", "nodes")
    assert cut.value.partial.startswith(b'{"data":[{')
    lab.fault("half", method="POST", path="/pools")
    lose(lab)
    assert pools(lab) == ["p"]


def test_a_hanging_answer_ends_when_the_fault_is_cleared(lab: ServedLab) -> None:
    lab.fault("hang", path="/version", seconds=0.3)
    start = time.monotonic()
    client = lab.client_with(lab.client.headers)
    with pytest.raises(LOST):
        client.call("GET", "version")
    assert time.monotonic() - start >= 0.3


def test_a_delay_is_added_to_whatever_else_strikes(lab: ServedLab) -> None:
    lab.fault("delay", delay=0.2)
    lab.fault("status", status=500)
    start = time.monotonic()
    assert lab.call("GET", "version").status == 500
    assert time.monotonic() - start >= 0.2


def test_an_unknown_field_is_in_each_object(lab: ServedLab) -> None:
    lab.fault("field", field="novelty=7", method="GET")
    assert lab.get("version")["novelty"] == 7
    assert all(node["novelty"] == 7 for node in lab.get("nodes"))


def statuses(lab: ServedLab, number: int) -> list[int]:
    return [lab.call("GET", "version").status for _ in range(number)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "xxxxx"),
        ({"count": 2}, "xx..."),
        ({"index": "2"}, ".x..."),
        ({"index": "2-3,5"}, ".xx.x"),
        ({"index": "4-"}, "...xx"),
        ({"index": "2-", "count": 1}, ".x..."),
        ({"method": "POST"}, "....."),
        ({"method": "GET", "path": "/version"}, "xxxxx"),
        ({"path": "/nodes/**"}, "....."),
        ({"path": "**"}, "xxxxx"),
        ({"host": "pve1"}, "....."),
    ],
)
def test_a_fault_strikes_what_fits(lab: ServedLab, settings: dict[str, Any], expected: str) -> None:
    lab.fault("status", status=500, **settings)
    assert "".join("x" if s == 500 else "." for s in statuses(lab, 5)) == expected


def test_chances_are_the_same_for_the_same_seed(lab: ServedLab) -> None:
    found = []
    for seed in (1, 1, 2):
        lab.fault("status", status=500, chance=0.5, seed=seed)
        found.append(statuses(lab, 20))
        lab.mend()
    assert found[0] == found[1] != found[2]
    assert 3 < found[0].count(500) < 17


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/nodes/*/qemu/*/clone", "nodes/pve1/qemu/100/clone", True),
        ("/nodes/{node}/qemu/{vmid}/clone", "nodes/pve1/qemu/100/clone", True),
        ("nodes/pve1/qemu/1*/clone", "nodes/pve1/qemu/100/clone", True),
        ("/nodes/*/clone", "nodes/pve1/qemu/100/clone", False),
        ("/nodes/pve2/**", "nodes/pve1/qemu/100/clone", False),
        ("/nodes/**/clone", "nodes/pve1/qemu/100/clone", True),
        ("/nodes/p.e1/**", "nodes/pve1/qemu/100/clone", False),
    ],
)
def test_a_star_is_one_part_of_a_path_and_two_are_any(
    lab: ServedLab, pattern: str, path: str, fits: bool
) -> None:
    lab.fault("status", status=503, path=pattern)
    assert (lab.call("POST", path, newid="101").status == 503) is fits


def test_what_was_struck_is_told_in_list_and_log(lab: ServedLab) -> None:
    number = lab.fault("drop", path="/version", count=1)
    client = lab.client_with(lab.client.headers)
    with pytest.raises(LOST):
        client.call("GET", "version")
    lab.get("version")
    (fault,) = lab.lab.faults.listed()
    assert (fault["seen"], fault["fired"], fault["over"]) == (1, 1, True)
    lab.server.log.flush()
    text = (lab.state / "requests.jsonl").read_text().splitlines()
    assert '"status":0' in text[0]
    assert f'"faults":[{number}]' in text[0]
    assert "faults" not in text[1]
