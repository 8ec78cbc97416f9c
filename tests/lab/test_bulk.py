"""Many guests of a host at once: who is meant, who may, and what becomes of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.direct import Api, RefusedError, as_anna, grant, refusal

HOST = "nodes/pve1"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    made = Api(tmp_path)
    for vmid in (100, 101):
        made.create(vmid, memory="64")
    made.put(100, onboot="1")
    return made


def running(api: Api, node: str = "pve1") -> list[int]:
    rows: list[dict[str, Any]] = api.ask("GET", f"nodes/{node}/qemu")
    return sorted(row["vmid"] for row in rows if row["status"] == "running")


def test_only_what_starts_with_the_host_starts_unless_forced(api: Api) -> None:
    task = api.ask("POST", f"{HOST}/startall")
    assert (task["type"], task["id"], task["status"]) == ("startall", "", "OK")
    assert running(api) == [100]
    api.done("POST", f"{HOST}/startall", force="1", vms="101")
    assert running(api) == [100, 101]


def test_guests_are_stopped_by_force_unless_that_is_not_wanted(api: Api) -> None:
    api.done("POST", f"{HOST}/startall", force="1")
    task = api.ask("POST", f"{HOST}/stopall", timeout="0", **{"force-stop": "0"})
    assert "VM 100 failed: VM quit/powerdown failed - got timeout" in task["log"]
    assert running(api) == [100, 101]
    api.done("POST", f"{HOST}/stopall", timeout="0", vms="101")
    assert running(api) == [100]


def test_virtual_machines_are_suspended_to_disk(api: Api) -> None:
    api.start(101)
    api.done("POST", f"{HOST}/suspendall")
    assert running(api) == []
    assert api.config(101)["lock"] == "suspended"


def test_guests_go_to_another_host_and_those_that_cannot_stay(api: Api) -> None:
    api.put(101, serial0="/dev/ttyS0")
    task = api.ask("POST", f"{HOST}/migrateall", target="pve2", maxworkers="2")
    assert task["status"] == "OK"
    assert "All jobs finished, used 1 workers in total." in task["log"]
    assert api.config(100, "pve2")["memory"] == "64"
    task = api.ask("POST", f"{HOST}/migrateall", target="pve2", maxworkers="2")
    assert task["status"] == "no migrations worker started..."


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"target": "pve1"}, "target is local node."),
        ({"target": "nosuch"}, "no such cluster node 'nosuch'"),
        (
            {"target": "pve2"},
            "either 'max-workers' parameter or max_workers in datacenter.cfg must be set!",
        ),
    ],
)
def test_a_migration_of_all_needs_another_host_and_a_number(
    api: Api, params: dict[str, str], text: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        api.ask("POST", f"{HOST}/migrateall", **params)
    assert text in (refused.value.message, *refused.value.errors.values())


@pytest.mark.parametrize(
    ("what", "privilege", "params"),
    [
        ("startall", "VM.PowerMgmt", {}),
        ("stopall", "VM.PowerMgmt", {}),
        ("migrateall", "VM.Migrate", {"target": "pve2", "max-workers": "1"}),
    ],
)
def test_who_may_not_do_so_to_all_names_guests_of_theirs(
    api: Api, what: str, privilege: str, params: dict[str, str]
) -> None:
    path = f"{HOST}/{what}"
    grant(as_anna(api), "/vms/100", privilege)
    assert refusal(api, "POST", path, **params) == f"Permission check failed (/, {privilege})"
    text = f"Permission check failed (/vms/101, {privilege})"
    assert refusal(api, "POST", path, vms="100,101", **params) == text
    assert api.ask("POST", path, vms="100", **params)["status"] == "OK"
