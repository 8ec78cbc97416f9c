"""High availability: what is watched, which rules fit together, and what the manager does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.ha.feasibility import faults
from tests.lab.direct import SEED
from tests.lab.served import ServedLab

HA = "cluster/ha"
ROUND_S = 0.02


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[ServedLab]:
    """A lab whose manager takes short rounds, with two guests on pve1 that it watches."""
    lab = ServedLab(tmp_path, SEED)
    object.__setattr__(lab.lab.settings, "ha_round_s", ROUND_S)
    for vmid in (100, 101):
        lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid=vmid, memory=64).ok())
        lab.call("POST", f"{HA}/resources", sid=f"vm:{vmid}", state="stopped").ok()
    yield lab
    lab.close()


def row_of(lab: ServedLab, vmid: int = 100) -> dict[str, Any]:
    rows = lab.get("cluster/resources", type="vm")
    found: dict[str, Any] = next(row for row in rows if row["vmid"] == vmid)
    return found


def state_of(lab: ServedLab, vmid: int = 100) -> str | None:
    """What the manager knows of a guest's state."""
    node = row_of(lab, vmid)["node"]
    state: str | None = lab.get(f"nodes/{node}/qemu/{vmid}/status/current")["ha"].get("state")
    return state


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for the manager's rounds, at most a minute."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(ROUND_S)


def test_starting_a_watched_guest_files_a_request_and_the_manager_starts_it(
    watched: ServedLab,
) -> None:
    upid = watched.call("POST", "nodes/pve1/qemu/100/status/start").ok()
    assert ":hastart:100:" in upid
    task = watched.finish(upid)
    assert (task["status"], task["log"][0]) == ("OK", "Requesting HA start for VM 100")
    until(lambda: state_of(watched) == "started", "it starts")
    assert row_of(watched)["status"] == "running"
    assert row_of(watched)["hastate"] == "started"
    started = [t for t in watched.get("cluster/tasks") if t["type"] == "qmstart"]
    assert [(t["id"], t["user"]) for t in started] == [("100", "root@pam")]


@pytest.mark.parametrize(("verb", "params"), [("stop", {}), ("shutdown", {"timeout": 1})])
def test_stopping_a_watched_guest_keeps_it_stopped(
    watched: ServedLab, verb: str, params: dict[str, int]
) -> None:
    watched.call("PUT", f"{HA}/resources/100", state="started").ok()
    until(lambda: row_of(watched)["status"] == "running", "it starts")
    upid = watched.call("POST", f"nodes/pve1/qemu/100/status/{verb}", **params).ok()
    assert ":hastop:100:" in upid
    until(lambda: state_of(watched) == "stopped", "it stops")
    assert row_of(watched)["status"] == "stopped"
    assert watched.get(f"{HA}/resources/100")["state"] == "stopped"


def test_a_service_moves_with_those_it_is_kept_together_with(watched: ServedLab) -> None:
    watched.call(
        "POST", f"{HA}/rules", rule="both", type="resource-affinity",
        resources="vm:100,vm:101", affinity="positive",
    ).ok()  # fmt: skip
    until(lambda: state_of(watched, 101) == "stopped", "both are known")
    answer = watched.call("POST", f"{HA}/resources/vm:100/migrate", node="pve2").ok()
    assert answer["comigrated-resources"] == ["vm:101"]
    for vmid in (100, 101):
        until(lambda vmid=vmid: row_of(watched, vmid)["node"] == "pve2", f"{vmid} moves")  # type: ignore[misc]


def test_a_rule_about_hosts_brings_its_services_there(watched: ServedLab) -> None:
    watched.call(
        "POST", f"{HA}/rules", rule="place", type="node-affinity",
        resources="vm:100", nodes="pve2:1,pve3:2", strict=1,
    ).ok()  # fmt: skip
    until(lambda: row_of(watched)["node"] == "pve3", "it goes to the host of highest priority")


def test_a_guest_that_does_not_start_ends_in_error_and_says_so(watched: ServedLab) -> None:
    watched.call("PUT", "nodes/pve1/qemu/100/config", net0="virtio,bridge=nosuch").ok()
    change = {"state": "started", "max_restart": 1, "max_relocate": 0}
    watched.call("PUT", f"{HA}/resources/100", **change).ok()
    until(lambda: state_of(watched) == "error", "it gives up")
    refused = watched.call("PUT", f"{HA}/resources/100", comment="x")
    assert refused.reason == "service 'vm:100' in error state, must be disabled and fixed first"
    watched.call("PUT", f"{HA}/resources/100", state="disabled").ok()
    until(lambda: state_of(watched) == "stopped", "the error is cleared")


def test_an_ignored_guest_is_started_by_the_call_itself(watched: ServedLab) -> None:
    watched.call("PUT", f"{HA}/resources/100", state="ignored").ok()
    upid = watched.call("POST", "nodes/pve1/qemu/100/status/start").ok()
    assert ":qmstart:100:" in upid
    assert watched.finish(upid)["status"] == "OK"


def test_the_status_lists_services_hosts_and_quorum(watched: ServedLab) -> None:
    until(lambda: state_of(watched) == "stopped", "they are known")
    rows = {row["id"]: row for row in watched.get(f"{HA}/status/current")}
    assert {"quorum", "master", "lrm:pve1", "service:vm:100"} <= rows.keys()
    service = rows["service:vm:100"]
    assert (service["state"], service["request_state"]) == ("stopped", "stopped")


def test_what_was_asked_of_the_manager_outlives_a_restart(watched: ServedLab) -> None:
    watched.call("PUT", f"{HA}/resources/100", state="started").ok()
    watched.restart()
    until(lambda: row_of(watched)["status"] == "running", "the next process starts it")


def rule(kind: str, resources: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "resources": resources, **more}


def together(resources: str) -> dict[str, Any]:
    return rule("resource-affinity", resources, affinity="positive")


def apart(resources: str) -> dict[str, Any]:
    return rule("resource-affinity", resources, affinity="negative")


def place(resources: str, nodes: str) -> dict[str, Any]:
    return rule("node-affinity", resources, nodes=nodes)


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ({"a": together("vm:1,vm:2"), "b": apart("vm:2,vm:3")}, {}),
        ({"a": together("vm:1")}, {"a": "less than two resources"}),
        ({"a": apart("vm:1,vm:2,vm:3,vm:4")}, {"a": "more resources than available nodes"}),
        (
            {"a": together("vm:1,vm:2"), "b": apart("vm:1,vm:2,vm:3")},
            {"a": "with a negative", "b": "with a positive"},
        ),
        (
            {"a": together("vm:1,vm:2"), "b": together("vm:2,vm:3"), "c": apart("vm:1,vm:3")},
            {"a": "with a negative", "b": "with a negative", "c": "with a positive"},
        ),
        (
            {"a": place("vm:1", "n1"), "b": place("vm:1,vm:2", "n2")},
            {"a": "'vm:1' is already used", "b": "'vm:1' is already used"},
        ),
        (
            {"a": together("vm:1,vm:2"), "b": place("vm:1", "n1:1,n2:2")},
            {"a": "with multiple priorities", "b": "with multiple priorities"},
        ),
        (
            {"a": together("vm:1,vm:2"), "b": place("vm:1", "n1"), "c": place("vm:2", "n2")},
            {"a": "multiple node affinity", "b": "other node affinity", "c": "other node affinity"},
        ),
        (
            {"a": apart("vm:1,vm:2"), "b": place("vm:1,vm:2", "n1")},
            {"a": "restricted to less nodes", "b": "restrict these to less nodes"},
        ),
    ],
)
def test_rules_that_cannot_be_kept_together_are_named(
    rules: dict[str, dict[str, Any]], wrong: dict[str, str]
) -> None:
    found = faults(rules, ["n1", "n2", "n3"])
    assert found.keys() == wrong.keys()
    for name, text in wrong.items():
        assert any(text in fault for fault in found[name]["resources"]), found[name]
    disabled = {name: {**rule, "disable": 1} for name, rule in rules.items()}
    assert faults(disabled, ["n1", "n2", "n3"]) == {}


def test_while_the_manager_rests_requests_wait(watched: ServedLab) -> None:
    watched.call("POST", f"{HA}/status/disarm-ha", resource__mode="freeze").ok()
    row = next(r for r in watched.get(f"{HA}/status/current") if r["id"] == "fencing")
    assert (row["armed-state"], row["resource_mode"]) == ("disarmed", "freeze")
    assert row["status"] == "disarmed, resource mode: freeze (CRM watchdog released)"
    watched.finish(watched.call("POST", "nodes/pve1/qemu/100/status/start").ok())
    time.sleep(10 * ROUND_S)
    assert row_of(watched)["status"] == "stopped"
    watched.call("POST", f"{HA}/status/arm-ha").ok()
    until(lambda: row_of(watched)["status"] == "running", "it starts")


def test_a_manager_that_is_to_be_ignored_leaves_guests_to_those_who_ask(watched: ServedLab) -> None:
    watched.call("POST", f"{HA}/status/disarm-ha", resource__mode="ignore").ok()
    upid = watched.call("POST", "nodes/pve1/qemu/100/status/start").ok()
    assert ":qmstart:100:" in upid
    assert watched.finish(upid)["status"] == "OK"
    rows = [r for r in watched.get(f"{HA}/status/current") if r["type"] == "service"]
    assert {row["state"] for row in rows} == {"ignore"}
    answer = watched.call("POST", f"{HA}/status/disarm-ha", resource__mode="x")
    assert answer.errors == {
        "resource-mode": "value 'x' does not have a value in the enumeration 'freeze, ignore'"
    }
