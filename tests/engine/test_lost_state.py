"""A state that was lost, put back from a backup, or torn: nothing is made twice, all is taken over.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.ground import done, picture, state_of
from tests.engine.practice import Practice

pytestmark = [pytest.mark.faults, pytest.mark.engine]


def backend(practice: Practice) -> Path:
    return practice.state / "backend"


def clones(writes: list[str]) -> list[str]:
    return [each for each in writes if each.endswith("/clone") or each.startswith("DELETE")]


def test_a_state_that_was_lost_is_rebuilt_from_what_is_there(practice: Practice) -> None:
    practice.good("up", "laptop")
    there = picture(practice)
    urns = {each["urn"] for each in state_of(practice, "laptop")["resources"]}
    shutil.rmtree(backend(practice))
    before = len(practice.writes())
    run = practice.good("up", "laptop")
    assert "taken over: c01-head, c01-n1, c01-n2" in run.texts
    assert run.summary["done"] == run.summary["total"] == 3
    assert clones(practice.writes()[before:]) == []
    assert picture(practice) == there
    assert {each["urn"] for each in state_of(practice, "laptop")["resources"]} == urns
    before = len(practice.writes())
    assert practice.good("up", "laptop").changes == {}
    assert practice.writes()[before:] == []


def test_guests_that_an_old_state_does_not_know_are_taken_over(practice: Practice) -> None:
    kept = practice.folder / "kept"
    shutil.copytree(backend(practice), kept)
    practice.edit("laptop", "count: 1}", "count: 2}")
    practice.good("up", "laptop")
    grown = next(each for each in practice.guests() if each["name"] == "c02-n1")
    path = f"nodes/{grown['node']}/qemu/{grown['vmid']}"
    done(practice, "PUT", f"{path}/resize", disk="scsi0", size="12G")
    there = picture(practice)
    shutil.rmtree(backend(practice))
    kept.rename(backend(practice))
    before = len(practice.writes())
    run = practice.good("up", "laptop")
    assert "taken over: c02-head, c02-n1, c02-n2" in run.texts
    assert clones(practice.writes()[before:]) == []
    assert picture(practice) == there
    assert practice.good("up", "laptop").changes == {}


def test_a_clone_that_was_cut_off_before_the_state_was_lost_is_made_again(
    practice: Practice,
) -> None:
    there = picture(practice)
    row = next(each for each in practice.guests() if each["name"] == "c02-n2")
    path = f"nodes/{row['node']}/qemu/{row['vmid']}"
    done(practice, "POST", f"{path}/status/stop")
    done(practice, "DELETE", path)
    given = {"newid": str(row["vmid"]), "name": "c02-n2", "target": row["node"], "full": "0"}
    given |= {"description": "practicum:laptop:c02-n2", "pool": "practicum-laptop"}
    done(practice, "POST", "nodes/pve01/qemu/9000/clone", **given)
    shutil.rmtree(backend(practice))
    run = practice.good("up", "laptop")
    assert "made again: c02-n2" in run.texts
    assert picture(practice) == there
    assert practice.good("up", "laptop").changes == {}


def test_a_torn_state_is_refused_with_the_command_that_puts_its_copy_back(
    practice: Practice,
) -> None:
    (path,) = backend(practice).glob(".pulumi/stacks/**/laptop.json")
    whole = path.read_bytes()
    before = practice.writes()
    for torn in (b"", whole[: len(whole) // 2], b"{}"):
        path.write_bytes(torn)
        for verb in ("up", "destroy"):
            run = practice.run(verb, "laptop")
            assert run.code == 1
            assert str(path) in run.errors
            assert "Traceback" not in run.errors
        assert path.read_bytes() == torn
    assert practice.writes() == before
    lock = backend(practice) / ".pulumi/locks/organization/practicum/laptop/torn.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_bytes(b"")
    typed = re.search(r"type: (cp .*)", run.errors)
    assert typed is not None, run.errors
    subprocess.run(shlex.split(typed[1].partition(" and then")[0]), check=True)
    assert practice.good("up", "laptop").summary["result"] == "succeeded"
    assert practice.good("up", "laptop").changes == {}


def test_attributes_of_a_state_that_a_killed_engine_left_torn_stop_nobody(
    practice: Practice,
) -> None:
    (path,) = backend(practice).glob(".pulumi/stacks/**/laptop.json.attrs")
    for verb in ("preview", "refresh", "up"):
        path.write_bytes(b"")
        run = practice.good(verb, "laptop")
        assert run.changes == {}


def test_destroy_of_an_event_without_a_state_leaves_nothing_of_it(practice: Practice) -> None:
    shutil.rmtree(backend(practice))
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []
    assert len(practice.guests()) == 1  # the template


def test_a_site_without_a_state_is_taken_over_as_well(practice: Practice) -> None:
    before = len(practice.writes())
    run = practice.good("up", "lab")
    assert "taken over: debian-12-pve01" in run.texts
    assert clones(practice.writes()[before:]) == []
    assert practice.good("up", "lab").changes == {}
    practice.good("destroy", "lab")
    assert practice.marked() == []
