"""A node or a cluster is made anew, and nothing else is touched.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine


def test_nothing_can_be_reset_that_was_never_made(practice: Practice) -> None:
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    done = practice.call("reset", str(practice.file("laptop")), "c01", "--yes")
    assert done.returncode == 1
    assert "was never made; type: ./practicum up" in done.stderr


def test_a_node_is_made_anew_and_no_other_guest_is_touched(practice: Practice) -> None:
    practice.good("up", "laptop")
    before = {each["name"]: each for each in practice.guests()}
    written = len(practice.writes())
    run = practice.run("reset", "laptop", "c01/n1", "--yes")
    assert run.code == 0, run.texts + run.errors
    paths = {line.split("/")[4] for line in practice.writes()[written:] if "/qemu/" in line}
    assert paths == {"9000", "200111"}
    assert {each["name"] for each in practice.guests()} == set(before)


def test_nobody_is_asked_twice_and_without_an_answer_nothing_happens(practice: Practice) -> None:
    written = practice.writes()
    done = practice.call("reset", str(practice.file("laptop")), "c01")
    assert done.returncode == 1
    assert "ALL WORK ON THEM IS LOST" in done.stdout
    assert "type the same with --yes" in done.stderr
    assert practice.writes() == written


def test_a_cluster_is_made_anew_and_an_up_after_it_changes_nothing(practice: Practice) -> None:
    run = practice.run("reset", "laptop", "c01", "--yes")
    assert run.code == 0, run.texts + run.errors
    assert run.summary["done"] == run.summary["total"] == 2
    written = practice.writes()
    assert practice.good("up", "laptop").changes == {}
    assert practice.writes() == written


def test_a_name_that_is_not_there_is_told_with_those_that_are(practice: Practice) -> None:
    done = practice.call("reset", str(practice.file("laptop")), "c01/n7", "--yes")
    assert done.returncode == 1
    assert "c01 has no node n7" in done.stderr
