"""An edit of the file changes exactly what it must: identity is declared, never positional."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from event.problems import PlanError
from plan.records import EventPlan, Guest
from tests.plan.making import Json, host, hosts_of, planned, site_stack

SIX = [f"pve{number:02d}" for number in range(1, 7)]
NCAR = {"name": "n[01-66]", "cores": 2, "memoryGib": 4, "diskGib": 60}


def drained(*names: str) -> list[Json]:
    return [host(name, drain=name in names) for name in SIX]


def changed(before: EventPlan, after: EventPlan) -> set[str]:
    """Names of guests that differ in anything, or are in one of the plans only."""
    old = {guest.name: comparable(guest) for guest in before.guests}
    new = {guest.name: comparable(guest) for guest in after.guests}
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def comparable(guest: Guest) -> Guest | None:
    """The guest; None stands for the instructors' node, which has a leg on every cluster."""
    return guest if guest.cluster else None


def guests_of(plan: EventPlan, *clusters: str) -> set[str]:
    return {guest.name for guest in plan.guests if guest.cluster in clusters}


def moved(before: EventPlan, after: EventPlan) -> set[str]:
    old, new = hosts_of(before), hosts_of(after)
    return {name for name in old.keys() & new.keys() if old[name] != new[name]}


def test_adding_a_cluster_changes_no_other_guest() -> None:
    before, after = planned(), planned(clusters={"count": 27})
    assert changed(before, after) == guests_of(after, "c27")


def test_going_past_a_hundred_clusters_renames_none() -> None:
    network = {"vlans": "100-300"}
    before = planned(clusters={"count": 99}, network=network)
    after = planned(clusters={"count": 101}, network=network)
    assert changed(before, after) == guests_of(after, "c100", "c101")


def test_retiring_a_cluster_renumbers_no_other() -> None:
    before, after = planned(), planned(clusters={"count": 26, "retire": [13]})
    assert changed(before, after) == guests_of(before, "c13")
    assert before.instructor is not None
    assert after.instructor is not None
    nics = zip(before.instructor.interfaces, after.instructor.interfaces, strict=True)
    assert [nic.network for old, nic in nics if old != nic] == ["parked"]


def test_bringing_a_retired_cluster_back_restores_the_plan() -> None:
    assert planned(clusters={"count": 26, "retire": []}) == planned()


def test_the_order_of_retired_numbers_does_not_matter() -> None:
    one = planned(clusters={"count": 26, "retire": [5, 20]})
    assert one == planned(clusters={"count": 26, "retire": [20, 5]})


@pytest.mark.parametrize("name", SIX)
def test_draining_one_of_six_hosts_moves_exactly_its_guests(name: str) -> None:
    before, after = planned(), planned(site_stack(drained(name)))
    assert moved(before, after) == {g.name for g in before.guests if g.host == name}
    clusters = Counter(g.host for g in after.guests if g.cluster)
    assert set(clusters.values()) == {26}
    heads = Counter(g.host for g in after.guests if g.node == "head")
    assert max(heads.values()) - min(heads.values()) <= 2
    assert all(len({g.host for g in c.guests}) == 5 for c in after.clusters)


def test_undraining_a_host_brings_exactly_its_guests_back() -> None:
    assert hosts_of(planned(site_stack(drained()))) == hosts_of(planned())


def test_draining_a_second_host_moves_only_guests_of_the_two() -> None:
    before, after = (
        planned(site_stack(drained("pve02"))),
        planned(site_stack(drained("pve02", "pve05"))),
    )
    home = hosts_of(planned())
    assert {home[name] for name in moved(before, after)} <= {"pve02", "pve05"}
    assert not {g.host for g in after.guests} & {"pve02", "pve05"}


def test_two_core_hosts_get_two_guests_each() -> None:
    plan = ncar_plan()
    on = Counter(guest.host for guest in plan.guests)
    assert sorted(on.values()) == [1] + [2] * 65
    assert len(plan.guests) == 131
    assert plan.totals.cores.need == 131


def ncar_plan(**changes: Any) -> EventPlan:
    """The event of 2009 on two-core hosts, one core a guest."""
    head = {"image": "debian-12", "exposed": True}
    return planned(
        changes.pop("site", site_stack([NCAR])),
        nodeGroups={"head": head, "compute": {"image": "debian-12", "count": 4}},
        instructor={"image": "debian-12", "cores": 1},
        **changes,
    )


def test_a_drained_two_core_host_is_relieved_by_spare_ones() -> None:
    spares = {**NCAR, "name": "s[1-2]"}
    rows = [{**NCAR, "name": "n[01-19]"}, {**NCAR, "name": "n20", "drain": True}]
    rows += [{**NCAR, "name": "n[21-66]"}, spares]
    calm = [{**NCAR, "name": "n[01-66]"}, spares]
    before, after = ncar_plan(site=site_stack(calm)), ncar_plan(site=site_stack(rows))
    assert moved(before, after) == {g.name for g in before.guests if g.host == "n20"}
    assert max(Counter(g.host for g in after.guests).values()) == 2


def test_too_many_drained_hosts_are_a_capacity_problem() -> None:
    rows = [{**NCAR, "name": "n[01-64]"}, {**NCAR, "name": "n[65-66]", "drain": True}]
    with pytest.raises(PlanError, match="do not fit on the hosts of hall: not enough cores"):
        ncar_plan(site=site_stack(rows))


def test_more_compute_nodes_in_one_cluster_change_only_that_cluster() -> None:
    more = {"c07": {"nodeGroups": {"compute": {"count": 5}}}}
    before, after = planned(), planned(overrides=more)
    assert changed(before, after) == guests_of(after, "c07")
    assert moved(before, after) == set()


def test_pinning_a_node_moves_guests_of_its_cluster_only() -> None:
    before = planned()
    after = planned(overrides={"c07": {"hosts": {"n1": "pve06"}}})
    assert hosts_of(after)["c07-n1"] == "pve06"
    assert moved(before, after) <= guests_of(before, "c07")


def test_an_egress_of_its_own_changes_one_security_group() -> None:
    after = planned(overrides={"c07": {"egress": []}})
    assert changed(planned(), after) == {"c07-head"}


def test_another_title_of_a_cluster_changes_no_machine() -> None:
    before, after = planned(), planned(overrides={"c07": {"title": "Group seven"}})
    names = changed(before, after)
    assert names == guests_of(after, "c07")
    assert moved(before, after) == set()


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    nodes=st.integers(1, 8),
    hosts=st.integers(2, 12),
    lost=st.integers(1, 12),
    count=st.integers(1, 30),
)
def test_draining_any_host_moves_its_guests_only_and_spreads_them(
    nodes: int, hosts: int, lost: int, count: int
) -> None:
    lost = min(lost, hosts)
    names = [f"pve{number:02d}" for number in range(1, hosts + 1)]
    groups = {
        "head": {"image": "debian-12", "exposed": True},
        "compute": {"image": "debian-12", "count": nodes - 1},
    }
    shape: Json = {"nodeGroups": groups, "clusters": {"count": count}, "instructor": None}
    before = planned(site_stack([host(name) for name in names]), **shape)
    rows = [host(name, drain=name == f"pve{lost:02d}") for name in names]
    after = planned(site_stack(rows), **shape)
    assert moved(before, after) == {g.name for g in before.guests if g.host == f"pve{lost:02d}"}
    on = Counter(g.host for g in before.guests)
    assert max(on.values()) - min(on[name] for name in names) <= 1
    left = Counter(g.host for g in after.guests)
    totals = [left[name] for name in names if name != f"pve{lost:02d}"]
    if nodes < hosts:
        assert max(totals) - min(totals) <= 4


def test_a_parked_nic_keeps_its_address_because_cloud_init_counts_addresses_like_nics() -> None:
    after = planned(clusters={"count": 26, "retire": [13]})
    assert after.instructor is not None
    assert all(nic.address or nic.dhcp for nic in after.instructor.interfaces)
