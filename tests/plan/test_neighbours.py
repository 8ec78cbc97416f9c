"""Events side by side on one site: what they would take from each other is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plan.neighbours import clashes, summed
from plan.records import EventPlan
from tests.plan.making import host, image, planned, site_stack

APART = {
    "network": {
        "vlans": "200-299", "private": "10.1.0.0/16",
        "exposedAddresses": "198.51.9.0-198.51.9.99",
    },
    "vmids": "200000-209999",
}  # fmt: skip


def beside(**changes: Any) -> EventPlan:
    return replace(planned(**changes), stack="sc10")


def test_events_with_ranges_of_their_own_run_side_by_side() -> None:
    assert clashes(planned(), [beside(**APART)]) == ()


def test_an_event_does_not_clash_with_itself_or_with_one_elsewhere() -> None:
    elsewhere = replace(beside(), site="other")
    assert clashes(planned(), [planned(), elsewhere]) == ()


def test_whatever_two_events_share_is_named() -> None:
    network = {"exposedAddresses": "198.51.7.0-198.51.7.99"}
    found = clashes(planned(network=network), [beside(clusters={"count": 2}, network=network)])
    assert found == (
        "the VMIDs 100001, 100101, 100111, 100112, 100113 and 6 more belong to sc10 as well",
        "the VLANs 101, 102 belong to sc10 as well",
        "the subnets 10.0.1.0/24, 10.0.2.0/24 belong to sc10 as well",
        "the exposed addresses 198.51.7.0, 198.51.7.1, 198.51.7.2 belong to sc10 as well",
    )


def test_hosts_that_two_events_overfill_together_are_named() -> None:
    site = site_stack([host("pve[01-06]", cores=40)])
    one, other = planned(site), replace(planned(site, **APART), stack="sc10")
    assert summed([one, other])[0].cores.need == 52
    assert clashes(one, [other]) == (
        "together with sc10 the guests do not fit on pve01, pve02, pve03, pve04, pve05 and 1 more",
    )


def test_a_storage_that_two_events_overfill_together_is_named() -> None:
    small = site_stack(
        storages={"shared": {"type": "nfs", "sizeGib": 1500}},
        images={"debian-12": image(9000, "shared")},
    )
    other = replace(planned(small, **APART), stack="sc10")
    assert clashes(planned(small), [other]) == (
        "together with sc10 the guests do not fit on storage shared",
    )
