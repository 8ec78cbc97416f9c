"""The cards of an event's guests: what every arm of the network's bench has to plug in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.processes import BenchError
from bench.stacks import EVENT
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event
from plan.records import EventPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card of a guest on its host, in a VLAN of a bridge."""

    vmid: int
    nic: int
    host: str
    bridge: str
    vlan: int | None
    mac: str

    @property
    def network(self) -> str:
        """The network that it is in, as one word."""
        return self.bridge if self.vlan is None else f"{self.bridge}v{self.vlan}"


def planned(folder: Path) -> EventPlan:
    """The plan of the event in a folder of stack files."""
    stack = read_stack(EVENT, folder)
    if not isinstance(stack, EventStack):
        raise BenchError(f"{EVENT} is not an event")
    return plan_event(stack)


def cards(plan: EventPlan) -> list[Card]:
    """All of them, guest by guest."""
    return [
        Card(
            vmid=guest.vmid,
            nic=number,
            host=guest.host,
            bridge=nic.bridge,
            vlan=nic.vlan,
            mac=nic.mac.lower(),
        )
        for guest in plan.guests
        for number, nic in enumerate(guest.interfaces)
        if nic.connected
    ]
