"""The first event of somebody who has just cloned the project, from `up` to nothing left.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine

LISTED = True
"""As shipped: the site gives its events narrow API tokens."""


def test_a_preview_needs_neither_the_lab_nor_a_secret(practice: Practice) -> None:
    run = practice.good("preview", "laptop")
    assert run.changes == {"create": 9}
    assert practice.requests() == []


def test_up_makes_the_site_and_the_event_and_tells_how_to_log_in(practice: Practice) -> None:
    run = practice.good("up", "laptop")
    assert run.summary["done"] == run.summary["total"] == 3
    names = {each["name"]: each["status"] for each in practice.guests() if not each["template"]}
    assert names == {"c01-head": "running", "c01-n1": "running", "c01-n2": "running"}


def test_heads_start_closed_with_the_firewall_of_their_template(practice: Practice) -> None:
    options = practice.api("GET", "nodes/pve01/qemu/200101/firewall/options")
    assert (options["enable"], options["policy_in"], options["policy_out"]) == (1, "DROP", "DROP")
    rules = practice.api("GET", "nodes/pve01/qemu/200101/firewall/rules")
    assert [each["action"] for each in rules] == ["laptop-heads"]


def test_the_same_again_sends_no_write(practice: Practice) -> None:
    before = practice.writes()
    run = practice.good("up", "laptop")
    assert run.changes == {}
    assert practice.writes() == before


def test_refresh_finds_that_nobody_has_changed_anything(practice: Practice) -> None:
    run = practice.good("refresh", "laptop")
    assert "drift" not in run.summary or not run.summary["drift"]
    assert practice.good("up", "laptop").changes == {}


def test_a_preview_with_the_lab_stopped_works_and_shows_no_change(practice: Practice) -> None:
    assert practice.call("lab", "stop", str(practice.file("lab"))).returncode == 0
    before = len(practice.requests())
    assert practice.good("preview", "laptop").changes == {}
    assert len(practice.requests()) == before


def test_passwords_are_shown_only_by_the_verb_that_says_so(practice: Practice) -> None:
    shown = practice.call("access", str(practice.file("laptop")), "c01").stdout
    password = shown.split()[-1]
    assert len(password) >= 24
    for path in practice.folder.rglob("*"):
        if path.is_file() and path.suffix not in (".db", ".db-wal"):
            assert password.encode() not in path.read_bytes(), path


def test_an_id_that_somebody_else_uses_stops_the_next_cluster_before_any_write(
    practice: Practice,
) -> None:
    practice.good("up", "laptop")
    practice.api("POST", "nodes/pve01/qemu", vmid="200201", name="somebodys", memory="64")
    foreign = practice.api("GET", "nodes/pve01/qemu/200201/config")
    practice.edit("laptop", "count: 1}", "count: 2}")
    before = practice.writes()
    run = practice.run("up", "laptop")
    assert run.code == 1
    assert "200201" in run.texts + run.errors
    assert practice.writes() == before
    assert practice.api("GET", "nodes/pve01/qemu/200201/config") == foreign
    practice.edit("laptop", "count: 2}", "count: 1}")


def test_destroy_leaves_nothing_of_the_event_and_the_site_as_it_was(practice: Practice) -> None:
    foreign = practice.api("GET", "nodes/pve01/qemu/200201/config")
    assert practice.run("destroy", "lab").code == 1  # its event is still there
    practice.good("destroy", "laptop")
    assert practice.of_event("laptop") == []
    assert len(practice.guests()) == 2  # the template, and somebody's guest
    practice.good("destroy", "lab")
    assert practice.marked() == []
    assert practice.api("GET", "nodes/pve01/qemu/200201/config") == foreign
