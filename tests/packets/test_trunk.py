"""Instructors with more clusters than a guest has cards: one card, a leg on every VLAN, and nothing
passes from one to another by way of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from event.read import read_stack
from event.stack import EventStack
from lab.network.names import Port
from lab.network.plumb import Plumb
from lab.network.system import links
from plan.plan import plan_event
from plan.records import EventPlan
from tests.packets.conftest import Ground
from tests.packets.fleet import INSTRUCTOR, ROOT, small
from tests.packets.proof import Proof
from tests.packets.test_mistakes import (
    PATIENCE_S,
    Fleet,
    Mistake,
    bridging_instructor,
    routing_instructor,
)
from tests.packets.test_plumb import card, hears, machine, say


def crowded() -> EventPlan:
    """SC09 with so many clusters that its instructors have a trunk; three of them."""
    stack = read_stack("sc09", ROOT / "stacks")
    assert isinstance(stack, EventStack)
    clusters = stack.event.clusters.model_copy(update={"count": 33})
    event = stack.event.model_copy(update={"clusters": clusters})
    return small(plan_event(replace(stack, event=event)), 3, 2)


@pytest.fixture
def fleet(ground: Ground) -> Fleet:
    return Fleet(ground, crowded())


def test_an_instructor_hears_every_cluster_and_no_cluster_another(fleet: Fleet) -> None:
    legs = [place for place in fleet.places if place.cluster == INSTRUCTOR and place.port.trunk]
    assert [leg.network for leg in legs] == ["c01", "c02", "c03"]
    verdict = Proof(fleet.places).run()
    assert not verdict.red, str(verdict)


@pytest.mark.parametrize("mistake", [bridging_instructor, routing_instructor])
def test_a_trunk_that_passes_packets_on_turns_the_proof_red(fleet: Fleet, mistake: Mistake) -> None:
    mistake(fleet)
    assert Proof(fleet.places).run(PATIENCE_S).leaks


def trunk(vlan: int) -> Port:
    return replace(card(9, "pve01", vlan), trunk=True)


def test_legs_go_where_their_card_goes_and_with_it(ground: Ground) -> None:
    before = machine()
    ground.guests(card(9, "pve01", 100), trunk(101), trunk(102), card(1, "pve02", 101))
    one, leg, other = ground.leg(1), ground.leg(9, 0, 101), ground.leg(9, 0, 102)
    say(one, 7)
    assert hears(leg, 7)
    ground.run(ground.plumb.move(9, 0, "pve02"))
    say(one, 8)
    assert hears(leg, 8)
    assert not {7, 8} & other.seen
    again = Plumb(ground.state)
    ground.run(again.reconcile([1, 9]))
    assert {port.key for port in again.ports()} == {(1, 0, 0), (9, 0, 0), (9, 0, 101), (9, 0, 102)}
    ground.run(again.detach(9, 0))
    left = {link["ifname"] for link in ground.run(links(again.namespace("pve02")))}
    assert not {name for name in left if name.startswith(("tap9", "leg"))}
    assert machine()["ip -br link"] == before["ip -br link"]
