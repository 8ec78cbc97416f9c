"""The tutorial of SC09: 131 guests, and the edits that its organisers would make.

The tests of this module are one story and run in order. What an edit may touch is written out:
guests, and firewall objects by their kind in parentheses.
"""

from __future__ import annotations

import json

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine

LISTED = True
"""As shipped: the site gives its events narrow API tokens."""

NEW_CLUSTER = {
    "create c27-head",
    "create c27-n1",
    "create c27-n2",
    "create c27-n3",
    "create c27-n4",
    "create c27-head-ipfilter-net0 (Ipset)",
    "create c27-head-rules (Rules)",
    "update instructor",
}


def guests_on(practice: Practice, host: str) -> set[str]:
    return {
        each["name"] for each in practice.guests() if each["node"] == host and not each["template"]
    }


def test_up_makes_131_guests_in_26_vlans_without_an_error(practice: Practice) -> None:
    run = practice.good("up", "sc09")
    assert (run.summary["done"], run.summary["total"]) == (131, 131)
    assert not run.summary["failed"]
    guests = [each for each in practice.guests() if not each["template"]]
    assert len(guests) == 131
    assert all(each["status"] == "running" for each in guests)
    config = practice.api("GET", "nodes/pve06/qemu/100001/config")
    tags = {config[f"net{nic}"].split("tag=")[1].split(",")[0] for nic in range(1, 27)}
    assert len(tags) == 26


def test_the_lab_has_what_the_plan_says(practice: Practice) -> None:
    planned = json.loads(practice.call("plan", str(practice.file("sc09")), "--json").stdout)
    there = {each["vmid"]: (each["name"], each["node"]) for each in practice.guests()}
    for guest in planned["guests"]:
        assert there[guest["vmid"]] == (guest["name"], guest["host"])


def test_the_same_again_sends_no_write(practice: Practice) -> None:
    before = practice.writes()
    assert practice.good("up", "sc09").changes == {}
    assert practice.writes() == before


def test_refresh_shows_no_drift(practice: Practice) -> None:
    run = practice.good("refresh", "sc09")
    assert "nobody has changed anything" in run.summary.get("text", "") or not run.summary.get(
        "drift"
    )


def test_a_27th_cluster_touches_its_guests_and_the_instructors_leg(practice: Practice) -> None:
    practice.edit("sc09", "count: 26", "count: 27")
    assert practice.good("preview", "sc09").touched == NEW_CLUSTER
    assert practice.good("up", "sc09").touched == NEW_CLUSTER
    assert len(practice.guests()) == 27 * 5 + 2


def test_a_retired_cluster_goes_with_its_firewall_and_renumbers_no_other(
    practice: Practice,
) -> None:
    practice.edit("sc09", "count: 27, prefix: c", "count: 27, prefix: c, retire: [13]")
    gone = {f"delete c13-{node}" for node in ("head", "n1", "n2", "n3", "n4")} | {
        "delete c13-head-ipfilter-net0 (Ipset)",
        "delete c13-head-rules (Rules)",
        "update instructor",
    }
    assert practice.good("preview", "sc09").touched == gone
    assert practice.good("up", "sc09").touched == gone
    assert not any(str(each.get("name")).startswith("c13-") for each in practice.guests())
    config = practice.api("GET", "nodes/pve06/qemu/100001/config")
    assert "tag=114" in config["net14"]


def test_a_drained_host_loses_exactly_its_guests_and_they_move_alive(practice: Practice) -> None:
    on_host = guests_on(practice, "pve02")
    practice.edit(
        "lab",
        '- {name: "pve[01-06]", cores: 40, memoryGib: 32, diskGib: 400}',
        '- {name: "pve01", cores: 40, memoryGib: 32, diskGib: 400}\n'
        '      - {name: "pve02", cores: 40, memoryGib: 32, diskGib: 400, drain: true}\n'
        '      - {name: "pve[03-06]", cores: 40, memoryGib: 32, diskGib: 400}',
    )
    run = practice.good("preview", "sc09")
    guests = {each for each in run.touched if "(" not in each}
    assert guests == {f"update {name}" for name in on_host}
    practice.good("up", "sc09")
    assert guests_on(practice, "pve02") == set()
    loads = [len(guests_on(practice, f"pve0{number}")) for number in (1, 3, 4, 5, 6)]
    assert max(loads) - min(loads) <= 2
    assert practice.good("up", "sc09").changes == {}


def test_one_clusters_egress_touches_its_heads_rules_only(practice: Practice) -> None:
    practice.edit(
        "sc09",
        "    instructor:",
        "    overrides: {c07: {egress: [{to: 192.0.2.80, port: 443}]}}\n    instructor:",
    )
    touched = {"create sc09-c07 (Group)", "update c07-head-rules (Rules)"}
    assert practice.good("preview", "sc09").touched == touched
    assert practice.good("up", "sc09").touched == touched
    rules = practice.api("GET", "cluster/firewall/groups/sc09-c07")
    assert {"192.0.2.80/32", "192.0.2.80"} & {each.get("dest") for each in rules}


def test_one_heads_memory_touches_that_head_only(practice: Practice) -> None:
    practice.edit(
        "sc09",
        "{c07: {egress:",
        "{c09: {nodeGroups: {head: {memoryMib: 2048}}}, c07: {egress:",
    )
    assert practice.good("preview", "sc09").touched == {"update c09-head"}
    assert practice.good("up", "sc09").touched == {"update c09-head"}
    head = next(each for each in practice.guests() if each["name"] == "c09-head")
    assert head["maxmem"] == 2048 * 1024 * 1024
    assert practice.good("up", "sc09").changes == {}


def test_a_disk_that_cannot_grow_is_refused_before_anything_is_sent(practice: Practice) -> None:
    practice.edit("sc09", "{memoryMib: 2048}", "{memoryMib: 2048, diskGib: 16}")
    before = practice.writes()
    run = practice.run("up", "sc09")
    assert run.code == 1
    assert "c09" in run.texts + run.errors
    assert "clone: full" in run.texts + run.errors
    assert practice.writes() == before
    practice.edit("sc09", "{memoryMib: 2048, diskGib: 16}", "{memoryMib: 2048}")


def test_destroy_leaves_nothing_of_the_event(practice: Practice) -> None:
    practice.good("destroy", "sc09")
    assert practice.of_event("sc09") == []
    practice.good("destroy", "lab")
    assert practice.marked() == []
