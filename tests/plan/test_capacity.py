"""Need against have: what does not fit is refused with a table, what is at risk is a warning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event.problems import PlanError
from plan.records import EventPlan
from plan.shortage import CapacityError
from tests.plan.making import Json, check_golden, host, hosts_of, image, planned, site_stack


def refusal(site_hosts: list[Json], **changes: object) -> CapacityError:
    with pytest.raises(CapacityError) as caught:
        planned(site_stack(site_hosts, **changes))
    return caught.value


def test_cores_that_do_not_fit_are_told_with_what_would_and_a_table() -> None:
    error = refusal([host("pve[01-06]", cores=20)])
    check_golden("short-of-cores.txt", f"{error}\n")


def test_everything_that_is_short_is_in_one_problem() -> None:
    rows = [host("big"), host("pve[01-15]", cores=4, memoryGib=3.5, diskGib=40)]
    error = refusal(rows, images={"debian-12": image(9000, "local", diskGib=20)})
    check_golden("short-of-everything.txt", f"{error}\n")


def test_what_the_message_says_to_write_does_fit() -> None:
    assert "write count: 19" in str(refusal([host("pve[01-06]", cores=20)]))
    planned(site_stack([host("pve[01-06]", cores=20)]), clusters={"count": 19})
    with pytest.raises(CapacityError):
        planned(site_stack([host("pve[01-06]", cores=20)]), clusters={"count": 20})


def test_an_overcommit_as_the_message_says_does_fit() -> None:
    rows = [host("pve[01-06]", cores=20)]
    assert "overcommit: {cores: 1.4}" in str(refusal(rows))
    planned(site_stack(rows, overcommit={"cores": 1.4}))


def test_a_pin_that_overloads_a_host_is_named() -> None:
    groups = {
        "head": {"image": "debian-12", "exposed": True},
        "compute": {"image": "debian-12", "count": 4, "host": "pve02"},
    }
    with pytest.raises(CapacityError, match="take pins to pve02 out"):
        planned(site_stack([host("pve[01-06]", cores=40)]), nodeGroups=groups)


def test_a_shared_storage_that_is_too_small_is_named() -> None:
    small = {"shared": {"type": "nfs", "sizeGib": 1000}}
    with pytest.raises(PlanError) as caught:
        planned(site_stack(storages=small, images={"debian-12": image(9000, "shared")}))
    check_golden("short-of-storage.txt", f"{caught.value}\n")


def test_disks_on_a_shared_storage_count_against_no_host() -> None:
    plan = planned(site_stack([host("pve[01-06]", diskGib=1)]))
    assert {load.disk_gib.need for load in plan.hosts} == {0}
    assert plan.storages[0].need_gib == 131 * 8


def test_a_guest_whose_host_is_full_goes_to_another_with_a_warning() -> None:
    rows = [host("pve01", cores=8), host("pve[02-06]")]
    plan = planned(site_stack(rows))
    assert plan.hosts[0].cores.need <= 8
    assert any("found the host of their turn full" in warning for warning in plan.warnings)


def test_clusters_in_front_keep_their_homes_when_space_runs_short() -> None:
    roomy, tight = planned(), planned(site_stack([host("pve01", cores=8), host("pve[02-06]")]))
    moved = [name for name, at in hosts_of(tight).items() if hosts_of(roomy)[name] != at]
    first = int(min(moved)[1:3])
    assert first > 5


@pytest.mark.parametrize("cores", [31, 32, 33, 34, 40])
def test_an_event_survives_the_loss_of_a_host_exactly_if_draining_any_one_fits(cores: int) -> None:
    names = [f"pve{number:02d}" for number in range(1, 7)]
    plan = planned(site_stack([host(name, cores=cores) for name in names]))
    assert plan.totals.survives_loss_of_any_host == all(
        fits([host(name, cores=cores, drain=name == lost) for name in names]) for lost in names
    )
    assert (plan.totals.worst_loss is None) == plan.totals.survives_loss_of_any_host
    assert any("does not survive" in w for w in plan.warnings) == bool(plan.totals.worst_loss)


def fits(rows: list[Json], **shape: Any) -> bool:
    try:
        planned(site_stack(rows), **shape)
    except CapacityError:
        return False
    return True


def test_a_single_host_cannot_be_lost() -> None:
    plan = planned(site_stack([host("only")]))
    assert plan.totals.worst_loss == "only"


def test_an_event_without_guests_survives_everything() -> None:
    plan = planned(clusters={"count": 0}, instructor=None)
    assert plan.totals.survives_loss_of_any_host
    assert plan.guests == ()


def test_totals_leave_drained_hosts_out_and_overcommit_in() -> None:
    rows = [host("pve[01-05]", cores=100), host("pve06", cores=100, drain=True)]
    plan: EventPlan = planned(site_stack(rows, overcommit={"cores": 1.5}))
    assert plan.totals.hosts == 5
    assert plan.totals.cores.have == 750
    assert plan.totals.guests == 131


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    hosts=st.integers(2, 8),
    nodes=st.integers(1, 6),
    count=st.integers(1, 20),
    spare=st.integers(0, 12),
    instructor=st.booleans(),
)
def test_the_loss_of_a_host_is_judged_as_draining_it_would_turn_out(
    hosts: int, nodes: int, count: int, spare: int, instructor: bool
) -> None:
    names = [f"pve{number:02d}" for number in range(1, hosts + 1)]
    groups = {
        "head": {"image": "debian-12", "cores": 2, "exposed": True},
        "compute": {"image": "debian-12", "count": nodes - 1},
    }
    shape: Json = {
        "clusters": {"count": count},
        "nodeGroups": groups,
        "instructor": {"image": "debian-12"} if instructor else None,
    }
    needed = max(
        load.cores.need for load in planned(site_stack([*map(host, names)]), **shape).hosts
    )

    def rows(lost: str) -> list[Json]:
        return [host(name, cores=int(needed) + spare, drain=name == lost) for name in names]

    plan = planned(site_stack(rows("")), **shape)
    assert plan.totals.survives_loss_of_any_host == all(
        fits(rows(lost), **shape) for lost in names if plan_has_guests(plan, lost)
    )


def plan_has_guests(plan: EventPlan, name: str) -> bool:
    return any(load.guests for load in plan.hosts if load.name == name)
