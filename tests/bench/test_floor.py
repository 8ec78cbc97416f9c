"""The floor program does the same work as the shipped event, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.programs import SECRET
from bench.stacks import EVENT, ROOT, SHIPPED_CLUSTERS, Size, site, write_stacks
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event

VM = "proxmoxve:index/vmLegacy:VmLegacy"
VALUE = "value"
Guests = dict[str, dict[str, Any]]


def recorded(program: Path, **variables: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("recorded.py"), program, SECRET],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROXMOX_VE_API_TOKEN": "a@pve!b=c"}
        | variables,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def guests(resources: list[dict[str, Any]]) -> Guests:
    return {each["name"]: each["inputs"] for each in resources if each["type"] == VM}


@pytest.fixture(scope="module")
def floor() -> list[dict[str, Any]]:
    return recorded(ROOT / "bench" / "floor")


@pytest.fixture(scope="module")
def practicum(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    stacks = tmp_path_factory.mktemp("stacks")
    write_stacks(stacks, Size(clusters=SHIPPED_CLUSTERS))
    return recorded(ROOT, PRACTICUM_STACKS=str(stacks))


def test_the_floor_has_as_many_guests_as_the_plan(floor: list[dict[str, Any]]) -> None:
    stack = read_stack(EVENT, ROOT / "stacks")
    assert isinstance(stack, EventStack)
    assert sorted(guests(floor)) == sorted(guest.name for guest in plan_event(stack).guests)


def test_the_floor_has_nothing_but_guests(floor: list[dict[str, Any]]) -> None:
    assert {each["type"] for each in floor} == {VM}


def test_every_guest_of_the_floor_asks_for_the_same_work(
    floor: list[dict[str, Any]], practicum: list[dict[str, Any]]
) -> None:
    ours, theirs = guests(practicum), guests(floor)
    assert ours.keys() == theirs.keys()
    for name, inputs in ours.items():
        # The pool is what the floor leaves out; which host it is makes no difference in work.
        left_out = {"poolId": None, "nodeName": None}
        expected = inputs | left_out | {"initialization": _without_password(inputs)}
        found = theirs[name] | left_out | {"initialization": _without_password(theirs[name])}
        assert found == expected, name


def test_the_floor_spreads_its_guests_as_evenly(floor: list[dict[str, Any]]) -> None:
    hosts = [inputs["nodeName"] for inputs in guests(floor).values()]
    counts = [hosts.count(host) for host in sorted(set(hosts))]
    assert len(counts) == 6
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("clusters", [3, 32])
def test_the_floor_grows_as_the_event_grows(clusters: int, tmp_path: Path) -> None:
    size = Size(clusters=clusters)
    write_stacks(tmp_path, size)
    stack = read_stack(EVENT, tmp_path)
    assert isinstance(stack, EventStack)
    subnet = site(size)["practicum:site"]["network"]["exposed"]["subnet"]
    program = ROOT / "bench" / "floor"
    more = {
        "FLOOR_CLUSTERS": str(clusters),
        "FLOOR_HOSTS": str(size.hosts),
        "FLOOR_EXPOSED": subnet,
    }
    found = guests(recorded(program, **more))
    planned = plan_event(stack).guests
    assert sorted(found) == sorted(guest.name for guest in planned)
    for guest in planned:
        macs = [nic["macAddress"] for nic in found[guest.name]["networkDevices"]]
        assert macs == [nic.mac for nic in guest.interfaces]


def _without_password(inputs: dict[str, Any]) -> dict[str, Any]:
    block = inputs["initialization"]
    opened = block.get(VALUE, block)  # a secret is wrapped
    account = {**opened["userAccount"], "password": None}
    return {**opened, "userAccount": account}
