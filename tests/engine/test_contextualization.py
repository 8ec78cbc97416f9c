"""Clusters whose guests never answer: the run says so for each, and everything else is done.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import json

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine


def test_up_ends_with_what_is_missing_where_no_agent_answers(practice: Practice) -> None:
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    practice.edit(
        "laptop", "    vmids:", "    contextualize: {level: base, bootTimeoutS: 10}\n    vmids:"
    )
    run = practice.run("up", "laptop")
    assert run.code == 1
    assert run.summary["done"] == run.summary["total"] == 2
    told = "\n".join(run.summary["failed"].values())
    assert "c01-head: silent: its agent did not answer within 10 s" in told
    assert "Traceback" not in run.errors + told


def test_the_secret_is_nowhere_in_what_the_run_has_left(practice: Practice) -> None:
    done = practice.call("access", str(practice.file("laptop")), "--json")
    password = json.loads(done.stdout)[0]["password"]
    files = [each for each in practice.state.rglob("*") if each.is_file() and each.stat().st_size]
    assert [each for each in files if password.encode() in each.read_bytes()] == []


def test_by_hand_it_says_the_same_and_what_to_type(practice: Practice) -> None:
    done = practice.call("contextualize", str(practice.file("laptop")), "c01")
    assert done.returncode == 1
    assert "c01: not as ordered" in done.stdout
    assert "./practicum contextualize " in done.stdout


def test_a_level_taken_back_leaves_nothing_to_prepare(practice: Practice) -> None:
    practice.edit("laptop", "level: base", "level: none")
    practice.good("up", "laptop")
    done = practice.call("contextualize", str(practice.file("laptop")))
    assert done.returncode == 1
    assert "nothing to prepare" in done.stderr
