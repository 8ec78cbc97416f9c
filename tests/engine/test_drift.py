"""Others change what only a configuration tells: `refresh` says what was and is, `up` repairs.

The tests of this module are one story and run in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.practice import Practice
from tests.engine.test_occupied import write

pytestmark = pytest.mark.engine

POOL = "pools/practicum-laptop"
ROLE = "access/roles/practicum-laptop-instructor"
GROUP = "practicum-laptop-instructors"
ACL = {"groups": GROUP, "roles": "practicum-laptop-instructor", "path": "/pool/practicum-laptop"}
MINE = {"ciuser": "eve", "ipconfig0": "ip=10.1.1.99/24", "description": "mine"}


def place(practice: Practice, name: str) -> str:
    """The path of a guest at the API."""
    guest = next(each for each in practice.guests() if each["name"] == name)
    return f"nodes/{guest['node']}/qemu/{guest['vmid']}"


def config(practice: Practice, name: str) -> dict[str, Any]:
    found: dict[str, Any] = practice.api("GET", f"{place(practice, name)}/config")
    return {key: value for key, value in found.items() if key not in ("digest", "meta")}


def ours(practice: Practice) -> Iterator[Any]:
    """What the lab has of the event, as far as the story touches it."""
    for name in ("c01-head", "c01-n1", "c01-n2"):
        yield config(practice, name)
        yield practice.api("GET", f"{place(practice, name)}/firewall/options")
    yield sorted(each["vmid"] for each in practice.guests() if each.get("pool"))
    yield practice.api("GET", ROLE)
    yield practice.api("GET", f"access/groups/{GROUP}")
    yield [row for row in practice.api("GET", "access/acl") if row["ugid"] == GROUP]


def test_refresh_tells_what_is_and_what_was_and_up_puts_it_right(practice: Practice) -> None:
    practice.good("up", "laptop")
    before = list(ours(practice))
    node, head = place(practice, "c01-n1"), place(practice, "c01-head")
    moved = config(practice, "c01-n1")["net0"].replace("tag=201", "tag=209")
    write(practice, "PUT", f"{node}/config", net0=moved, net1="virtio,bridge=vmbr0", **MINE)
    write(practice, "PUT", f"{head}/firewall/options", enable="0")
    write(practice, "PUT", POOL, vms=head.rpartition("/")[2], delete="1")
    write(practice, "PUT", ROLE, privs="VM.Audit,VM.Allocate")
    write(practice, "PUT", "access/acl", delete="1", **ACL)
    write(practice, "PUT", f"access/groups/{GROUP}", comment="mine")
    done = practice.call("refresh", str(practice.file("laptop")))
    assert done.returncode == 0, done.stderr
    for words in (
        "c01-head: its firewall is off",
        "c01-head: not in pool practicum-laptop",
        "NIC 0 VLAN 209 instead of 201",
        "NIC 1 more, on vmbr0",
        "login eve instead of student",
        "NIC 0 address 10.1.1.99/24 instead of 10.1.1.11/24",
        "description mine instead of practicum:laptop:c01-n1",
        "with VM.Allocate",
        "comment mine instead of practicum:laptop:event",
        f"gone: {GROUP}-on-pool (Acl)",
    ):
        assert words in done.stdout, done.stdout
    run = practice.good("up", "laptop")
    assert "c01-head: its firewall is off; it is closed again" in run.texts
    assert not [each for each in run.touched if each.startswith(("replace", "delete"))]
    assert list(ours(practice)) == before
    assert practice.good("refresh", "laptop").summary["drift"] == {}


def test_a_disk_that_somebody_has_grown_stays_and_everything_else_goes_on(
    practice: Practice,
) -> None:
    node = place(practice, "c01-n2")
    write(practice, "PUT", f"{node}/resize", disk="scsi0", size="20G")
    write(practice, "PUT", f"{node}/config", scsi1="shared:3")
    shown = practice.call("refresh", str(practice.file("laptop"))).stdout
    assert "c01-n2: disk scsi0 GiB 20 instead of 8" in shown
    assert practice.good("preview", "laptop").changes == {}
    practice.edit("laptop", "count: 2, cores: 1, memoryMib: 512", "count: 2, memoryMib: 768")
    before = len(practice.writes())
    run = practice.good("up", "laptop")
    assert "disks that others have made larger stay so: c01-n2 (20 GiB instead of 8)" in run.texts
    assert not [each for each in practice.writes()[before:] if "resize" in each]
    found = config(practice, "c01-n2")
    assert ("size=20G" in found["scsi0"], found["memory"]) == (True, "768")
    assert "size=3G" in found["scsi1"]
    again = practice.good("up", "laptop")
    assert again.changes == {}
    assert "stay so: c01-n2" in again.texts


def test_a_disk_grown_since_the_last_look_is_kept_without_a_refresh(practice: Practice) -> None:
    write(practice, "PUT", f"{place(practice, 'c01-n1')}/resize", disk="scsi0", size="12G")
    run = practice.good("up", "laptop")
    assert "c01-n1 (12 GiB instead of 8)" in run.texts
    assert "size=12G" in config(practice, "c01-n1")["scsi0"]
    practice.edit("laptop", "count: 2, memoryMib: 768", "count: 2, diskGib: 6, memoryMib: 768")
    refused = practice.run("up", "laptop")
    assert refused.code == 1  # smaller than the image
    practice.edit("laptop", "count: 2, diskGib: 6, memoryMib: 768", "count: 2, memoryMib: 768")


def test_one_of_both_marks_is_enough_and_none_is_foreign(practice: Practice) -> None:
    for name, change in (("c01-n1", {"delete": "tags"}), ("c01-n2", {"description": "mine"})):
        write(practice, "PUT", f"{place(practice, name)}/config", **change)
    assert "without our tags at the site: c01-n1" in practice.good("up", "laptop").texts
    assert config(practice, "c01-n1")["tags"] == "c01;laptop;practicum"
    node = place(practice, "c01-n1")
    write(practice, "PUT", f"{node}/config", delete="tags,description")
    before, theirs = practice.writes(), config(practice, "c01-n1")
    for verb in ("up", "destroy"):
        run = practice.run(verb, "laptop")
        assert run.code == 1
        assert "c01-n1 on pve" in run.errors
        assert "give it back the tags practicum;laptop" in run.errors
    assert practice.writes() == before
    assert config(practice, "c01-n1") == theirs
    write(practice, "PUT", f"{node}/config", tags="practicum;laptop")
    assert practice.good("up", "laptop").code == 0
    practice.good("destroy", "laptop")
    assert [each for each in practice.marked() if "laptop" in each] == []
