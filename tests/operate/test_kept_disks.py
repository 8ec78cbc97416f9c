"""A disk above what was last written is somebody's and stays; above what is written, an edit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from event.stack import EventStack
from operate.deployed import Deployed, read_export
from operate.kept_disks import kept_disks, kept_line
from operate.preflight import PreflightError
from operate.survey import Seen, SeenGuest
from operate.up import compare_deployed
from plan.kept_disks import with_kept_disks
from plan.records import EventPlan
from tests.operate.states import export


def state(plan: EventPlan, sizes: dict[str, int], written: Any = None) -> Deployed:
    """The state after a refresh has found these sizes; 8 GiB were written for all."""
    made = export(with_kept_disks(plan, sizes))
    outputs = made["deployment"]["resources"][0]["outputs"]
    outputs |= {"disksGib": {"*": 8} if written is None else written}
    return read_export(made)


def seen(plan: EventPlan, sizes: dict[str, int]) -> Seen:
    guests = {
        each.vmid: SeenGuest(
            vmid=each.vmid, name=each.name, host=each.host, kind="qemu", template=False,
            tags=frozenset(each.tags), disk_gib=sizes.get(each.name, each.disk_gib),
        )
        for each in plan.guests
    }  # fmt: skip
    return Seen(version="9", hosts={}, guests=guests, storages={}, bridges={}, pools=frozenset())


def test_a_disk_that_others_made_larger_stays(plan: EventPlan) -> None:
    kept = kept_disks(state(plan, {}), plan, seen(plan, {"c01-n1": 20}))
    assert kept == {"c01-n1": 20}
    assert kept_line(kept, plan) == (
        "disks that others have made larger stay so: c01-n1 (20 GiB instead of 8)"
    )


def test_after_a_refresh_the_state_says_so_too_and_nothing_is_refused(
    stack: EventStack, plan: EventPlan
) -> None:
    refreshed = state(plan, {"c01-n1": 20})
    assert kept_disks(refreshed, plan) == {"c01-n1": 20}
    assert compare_deployed(stack, refreshed, plan).nothing


def test_a_smaller_size_in_the_file_is_an_edit_and_refused_as_ever(
    stack: EventStack, plan: EventPlan
) -> None:
    larger = dict.fromkeys([guest.name for guest in plan.guests], 20)
    built = state(plan, larger, {"*": 20})
    assert kept_disks(built, plan, seen(plan, larger)) == {}
    with pytest.raises(PreflightError, match="disks cannot shrink from 20 GiB"):
        compare_deployed(stack, built, plan)


def test_a_larger_size_in_the_file_goes_over_a_smaller_one_of_others(plan: EventPlan) -> None:
    planned = with_kept_disks(plan, {"c01-n1": 32})
    assert kept_disks(state(plan, {}), planned, seen(plan, {"c01-n1": 20})) == {}


@pytest.mark.parametrize("written", [{}, "x", {"c02-n1": 8}])
def test_a_state_that_does_not_tell_what_was_written_keeps_nothing(
    plan: EventPlan, written: Any
) -> None:
    assert kept_disks(state(plan, {"c01-n1": 20}, written), plan) == {}
    assert kept_disks(None, plan) == {}


def test_guests_that_are_gone_or_made_anew_get_their_planned_disk(plan: EventPlan) -> None:
    refreshed, there = state(plan, {"c01-n1": 20}), seen(plan, {"c01-n1": 20})
    vmid = next(guest.vmid for guest in plan.guests if guest.name == "c01-n1")
    rest = {number: guest for number, guest in there.guests.items() if number != vmid}
    assert kept_disks(refreshed, plan, replace(there, guests=rest)) == {}
    clusters = tuple(
        replace(each, guests=tuple(replace(guest, clone="full") for guest in each.guests))
        for each in plan.clusters
    )
    assert kept_disks(refreshed, replace(plan, clusters=clusters), there) == {}
