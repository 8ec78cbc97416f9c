"""Lanes on a virtual clock: nobody fails on a lock, everybody's turn comes, little time is lost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.lanes import BLIND_MOST_S, BLIND_S, Lane, Lanes, Sighting, lane_of
from plan.records import CloneMode, Guest
from tests.plan.making import planned
from tests.plan.simulated import Storage, jitter

NOTHING: frozenset[str] = frozenset()


@cache
def guests(number: int = 131, *, shared: bool = True, clone: CloneMode = "linked") -> list[Guest]:
    """Guests of the event of 2009, all from one template."""
    found = planned().guests[:number]
    return [
        replace(guest, clone=clone, template=replace(guest.template, shared=shared))
        for guest in found
    ]


def storage(
    number: int,
    clone_s: float,
    *,
    shared: bool = True,
    shortening: bool = True,
    spread: float = 0.02,
    seed: int = 1,
) -> Storage:
    """A storage and lanes for it."""
    some = guests(number, shared=shared)
    return Storage(
        lanes=Lanes(some),
        guests={guest.name: guest for guest in some},
        clone_s=jitter(seed, clone_s, spread),
        shared=shared,
        delay=jitter(seed + 1, 0.02, 0.5),
        shortening=shortening,
    )


def lane_with(*some: Guest, shared: bool = True) -> Lane:
    lane = Lane(shared=shared)
    for guest in some:
        lane.ask(guest)
    return lane


def seen(guest: Guest, *, locked: bool = False, configured: bool = False) -> dict[int, Sighting]:
    tags = frozenset(guest.tags) if configured else NOTHING
    return {guest.vmid: Sighting(locked=locked, tags=tags)}


@pytest.mark.parametrize(
    ("clone_s", "shortening", "most"),
    [(0.8, True, 1.12), (0.8, False, 1.22), (2.0, True, 1.1), (0.3, True, 1.2)],
)
def test_a_shared_storage_is_busy_nearly_all_the_time_and_no_drive_waits_too_long(
    clone_s: float, shortening: bool, most: float
) -> None:
    world = storage(60, clone_s, shortening=shortening)
    assert world.run() <= most * 60 * clone_s
    assert (world.failed, world.most) == ([], 1)


@pytest.mark.parametrize("clone_s", [0.8, 2.0, 3.5, 7.0, 9.5])
def test_a_storage_of_one_host_has_the_next_clone_waiting(clone_s: float) -> None:
    world = storage(20, clone_s, shared=False)
    assert world.run() <= 1.1 * 20 * clone_s
    assert world.failed == []
    assert world.most <= 2


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    number=st.integers(1, 25),
    clone_s=st.floats(0.2, 12),
    shared=st.booleans(),
    shortening=st.booleans(),
    seed=st.integers(0, 99),
)
def test_everybodys_turn_comes_in_order_and_nobody_fails(
    number: int, clone_s: float, shared: bool, shortening: bool, seed: int
) -> None:
    world = storage(number, clone_s, shared=shared, shortening=shortening, seed=seed, spread=0.1)
    world.run()
    assert world.failed == []
    assert world.order == list(world.guests)
    assert world.most <= (1 if shared else 2)


def test_guests_of_one_storage_share_a_lane_and_hosts_storages_have_their_own() -> None:
    guest = guests(1)[0]
    local = replace(guest.template, shared=False, storage="local", host="pve01")
    assert lane_of(guest) == "shared"
    assert lane_of(replace(guest, template=local)) == "pve01/local"
    assert lane_of(replace(guest, template=replace(local, host="pve02"))) == "pve02/local"


def test_the_next_clone_goes_as_soon_as_the_one_before_is_seen_to_be_done() -> None:
    first, second = guests(2)
    lane = lane_with(first, second)
    assert lane.next(0) == [first]
    lane.look({}, 0.1)
    lane.look(seen(first, locked=True), 0.2)
    assert lane.next(0.2) == []
    lane.look(seen(first), 1.0)
    assert lane.next(1.0) == [second]


def test_a_clone_that_vanishes_or_is_refused_holds_up_nobody() -> None:
    first, second, third = guests(3)
    lane = lane_with(first, second, third)
    lane.next(0)
    lane.look(seen(first, locked=True), 0.2)
    lane.look({}, 0.4)
    assert lane.next(0.4) == [second]
    lane.end(second.name)
    assert lane.next(0.5) == [third]


def test_full_clones_go_side_by_side_and_never_beside_linked_ones() -> None:
    full, linked = guests(6, clone="full"), guests(7)[6]
    lane = lane_with(*full, linked)
    lane.look({}, 0)
    assert lane.next(0) == full[:4]
    lane.look({guest.vmid: Sighting(locked=False, tags=NOTHING) for guest in full[:4]}, 1)
    assert lane.next(1) == full[4:]
    lane.look({guest.vmid: Sighting(locked=False, tags=NOTHING) for guest in full}, 2)
    assert lane.next(2) == [linked]


def test_without_a_look_at_the_cluster_a_guest_goes_when_the_one_before_is_complete() -> None:
    first, second = guests(2)
    lane = lane_with(first, second)
    lane.next(0)
    assert lane.next(BLIND_S + 1) == []
    lane.end(first.name)
    assert lane.next(BLIND_S + 1) == [second]


def test_without_any_sign_of_a_guest_the_next_one_goes_in_the_end() -> None:
    first, second = guests(2)
    lane = lane_with(first, second)
    lane.next(0)
    assert lane.next(BLIND_MOST_S - 1) == []
    assert lane.next(BLIND_MOST_S + 1) == [second]


def test_a_drive_that_never_comes_holds_up_nobody_for_long() -> None:
    world = storage(12, 2.0)
    world.silent = {"c01-n1"}  # its provider has given up, and nobody says so
    assert world.run() <= 1.6 * 12 * 2.0
    assert world.failed == ["c01-n1"]


def test_a_guest_that_does_not_want_its_turn_any_more_is_passed_over() -> None:
    first, second, third = guests(3)
    lane = lane_with(first, second, third)
    lane.next(0)
    lane.end(second.name)
    lane.end(first.name)
    assert lane.next(1) == [third]


def test_a_faster_clock_of_the_cluster_makes_the_waits_shorter() -> None:
    first, second, third = guests(3)
    lanes = {pace: Lane(shared=True, pace=pace) for pace in (1.0, 0.1)}
    for lane in lanes.values():
        for guest in (first, second, third):
            lane.ask(guest)
        lane.next(0)
        lane.look({}, 0.02)
        lane.look(seen(first, locked=True), 0.04)
        lane.look(seen(first), 0.5)
        lane.next(0.5)
        lane.look(seen(first) | seen(second), 2.5)
    assert lanes[1.0].next(2.5) == [third]
    assert lanes[0.1].next(2.5) == []
