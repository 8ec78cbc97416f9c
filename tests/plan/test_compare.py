"""Two plans compared: the sentences that an organiser reads before an update."""

from __future__ import annotations

from typing import Any

import pytest

from event.problems import Where
from plan.compare import Comparison, compare, lines
from tests.plan.making import Json, check_golden, host, image, planned, site_stack

HEAD: Json = {"image": "debian-12", "cores": 2, "memoryMib": 1024, "exposed": True}
COMPUTE: Json = {"image": "debian-12", "count": 4}


def groups(**changes: Any) -> Json:
    return {"nodeGroups": {"head": HEAD, "compute": {**COMPUTE, **changes}}}


def drained(name: str) -> list[Json]:
    return [host(f"pve{n:02d}", drain=f"pve{n:02d}" == name) for n in range(1, 7)]


EDITS: dict[str, tuple[Json, Json]] = {
    "a-cluster-more": ({}, {"clusters": {"count": 27}}),
    "a-cluster-retired": ({}, {"clusters": {"count": 26, "retire": [13]}}),
    "a-host-drained": ({}, {"site": site_stack(drained("pve03"))}),
    "larger-computes": (groups(), groups(cores=2, memoryMib=1024)),
    "another-image": (groups(), groups(image="windows")),
    "full-clones": (groups(), groups(clone="full")),
    "a-node-exposed": (groups(), groups(exposed=True)),
    "egress-opened": (
        {"network": {"egress": [{"to": "192.0.2.5", "port": 80}]}},
        {
            "network": {"egress": [{"to": "192.0.2.6", "port": 443}]},
            "overrides": {"c07": {"egress": []}},
        },
    ),
    "login-and-title": (
        {"clusters": {"count": 1}},
        {"clusters": {"count": 1}, "title": "Another", "participants": {"user": "guest"}},
    ),
}


def compared(name: str) -> Comparison:
    before, after = EDITS[name]
    return compare(planned(**before), planned(**after))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reads_as_its_golden_says(name: str) -> None:
    comparison = compared(name)
    text = "".join(f"{line}\n" for line in lines(comparison))
    text += "".join(f"refused: {problem}\n" for problem in comparison.refusals)
    check_golden(f"compare-{name}.txt", text)


def test_a_plan_compared_with_itself_says_nothing() -> None:
    comparison = compare(planned(), planned())
    assert comparison.nothing
    assert lines(comparison) == []
    assert comparison.refusals == ()


@pytest.mark.parametrize("name", EDITS)
def test_every_edit_is_something(name: str) -> None:
    assert not compared(name).nothing


def test_a_moved_guest_keeps_its_disk_on_a_shared_storage_only() -> None:
    local = {"images": {"debian-12": image(9000, "local")}}
    shared_kinds = {change.kind for change in compared("a-host-drained").guests}
    before = planned(site_stack(drained(""), **local))
    after = planned(site_stack(drained("pve03"), **local))
    assert shared_kinds == {"moved"}
    assert {change.kind for change in compare(before, after).guests} == {"replaced"}


@pytest.mark.parametrize("storage", ["dir", "nfs", "cifs", "btrfs", "cephfs"])
def test_a_linked_clone_on_files_cannot_grow(storage: str) -> None:
    comparison = grown(storage, "linked")
    assert len(comparison.refusals) == 1
    problem = comparison.refusals[0]
    assert str(problem) == (
        "stacks/Pulumi.sc09.yaml:9 event.nodeGroups.compute.diskGib: 20 "
        f"linked clones on a {storage} storage cannot grow from 8 GiB (c01-n1 and 103 more); "
        "write 8, or clone: full as well, which makes these guests anew"
    )


@pytest.mark.parametrize("storage", ["lvmthin", "zfspool", "rbd"])
def test_a_linked_clone_on_volumes_may_grow(storage: str) -> None:
    comparison = grown(storage, "linked")
    assert comparison.refusals == ()
    assert {change.kind for change in comparison.guests} == {"changed"}


def test_a_full_clone_may_grow_everywhere() -> None:
    assert grown("dir", "full").refusals == ()


def test_growing_and_cloning_anew_at_once_is_allowed() -> None:
    before, after = planned(**groups()), planned(**groups(diskGib=20, clone="full"))
    assert compare(before, after).refusals == ()


def test_no_disk_shrinks() -> None:
    before, after = planned(**groups(diskGib=20, clone="full")), planned(**groups(clone="full"))
    problem = compare(before, after).refusals[0]
    assert str(problem) == (
        "event.nodeGroups.compute.diskGib: 8 disks cannot shrink from 20 GiB "
        "(c01-n1 and 103 more); write 20 or more"
    )


def test_a_linked_clone_cannot_move_to_another_storage() -> None:
    before = planned(site_stack(images={"debian-12": image(9000, "shared")}))
    stores = {"shared": {"type": "nfs", "sizeGib": 1}, "other": {"type": "rbd", "sizeGib": 9000}}
    moved = site_stack(storages=stores, images={"debian-12": image(9000, "other")})
    problems = compare(before, planned(moved)).refusals
    assert [problem.path for problem in problems] == [
        "event.instructor.image", "event.nodeGroups.head.image", "event.nodeGroups.compute.image",
    ]  # fmt: skip
    assert "linked clones cannot move from storage shared" in str(problems[0])


@pytest.mark.parametrize(
    ("edit", "restart"),
    [
        (groups(cores=2), True),
        (groups(exposed=True), True),
        ({"participants": {"user": "guest"}}, True),
        ({"title": "Another"}, False),
        ({"overrides": {"c01": {"egress": []}}}, False),
    ],
)
def test_a_restart_is_told_where_the_provider_restarts_guests(edit: Json, restart: bool) -> None:
    changes = compare(planned(**groups()), planned(**{**groups(), **edit})).guests
    assert {change.restarts for change in changes if change.cluster} == {restart}


def test_a_longer_trunk_restarts_nobody() -> None:
    before, after = planned(clusters={"count": 40}), planned(clusters={"count": 41})
    change = next(c for c in compare(before, after).guests if c.name == "instructor")
    assert change.details == ("net1 changed (trunk)", "documents")
    assert not change.restarts


def test_the_instructors_disk_is_refused_at_its_own_place() -> None:
    before = planned(instructor={"image": "debian-12"})
    after = planned(instructor={"image": "debian-12", "diskGib": 20})
    problem = compare(before, after).refusals[0]
    assert problem.path == "event.instructor.diskGib"
    assert problem.hint == "write 8"


def test_fewer_clusters_are_refused_while_the_instructors_node_would_lose_a_nic() -> None:
    before, after = planned(clusters={"count": 27}), planned()
    assert [str(problem) for problem in compare(before, after).refusals] == [
        "event.clusters.count: 26 a guest that loses a NIC cannot be changed in place "
        "(instructor); write count: 27, retire: [27]"
    ]
    retired = planned(clusters={"count": 27, "retire": [27]})
    assert compare(before, retired).refusals == ()


def test_a_node_that_is_exposed_no_more_is_refused_in_place() -> None:
    before, after = planned(**groups(exposed=True)), planned(**groups())
    problem = compare(before, after).refusals[0]
    assert problem.path == "event.nodeGroups.compute.exposed"
    assert "retire: [1]" in problem.hint


def grown(storage: str, clone: str) -> Comparison:
    """Compute nodes with a larger disk, on a storage of some kind."""
    sizes = {"sizeGib": 100_000} if storage in ("nfs", "cifs", "cephfs", "rbd") else {}
    site = site_stack(
        storages={"store": {"type": storage, **sizes}}, images={"debian-12": image(9000, "store")}
    )
    before = planned(site, **groups(clone=clone))
    after = planned(site, **groups(clone=clone, diskGib=20))
    return compare(before, after, locate=lambda _: Where(file="stacks/Pulumi.sc09.yaml", line=9))
