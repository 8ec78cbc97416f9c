"""Ways to all guests of an event, wherever they are now: by their agents, else by SSH."""

from __future__ import annotations

from event.stack import EventStack
from operate.api import Api
from operate.contextualize.applier import WayOf, agents
from operate.contextualize.ssh_way import AgentOrSsh, Rooms, Ssh
from operate.contextualize.way import Way
from operate.places import Places
from plan.contextualize.orders import Orders
from plan.records import EventPlan


def ways(stack: EventStack, plan: EventPlan, api: Api, secret: str, places: Places) -> WayOf:
    """A function that gives the way to a guest; None when the site has no such guest."""
    agent_of = agents(api, plan.boot_timeout_s)
    rooms = Rooms(stack, plan, secret, places)
    guests = {each.name: each for each in plan.guests}

    def way_of(orders: Orders) -> Way | None:
        agent = agent_of(orders)
        if agent is None:
            return None
        guest = guests[orders.guest]
        ssh = Ssh(guest=guest, rooms=rooms, any_key=plan.take_first_host_key)
        return AgentOrSsh(agent=agent, ssh=ssh)

    return way_of
