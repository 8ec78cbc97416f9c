"""A planned event as cards and firewall settings: what the API would hold after `up`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from event.read import read_stack
from event.stack import EventStack
from lab.network.names import Port
from plan.addressing import instructor_address
from plan.plan import plan_event
from plan.records import EventPlan, FirewallRule, Guest, SecurityGroup
from tests.packets.conftest import Ground
from tests.packets.wires import Leg

ROOT = Path(__file__).resolve().parents[2]
WORLD = 999_999_999
INSTRUCTOR = "instructor"


@dataclass(slots=True, kw_only=True)
class Place:
    """One card of the fleet: whose it is, and the socket on it."""

    cluster: str  # the cluster's name, or `INSTRUCTOR`
    network: str  # the cluster whose network it is on, or "exposed"
    port: Port
    address: str
    leg: Leg

    @property
    def mac(self) -> str:
        return self.port.mac.lower()

    @property
    def exposed(self) -> bool:
        return self.network == "exposed"

    def __str__(self) -> str:
        return f"{self.cluster}:{self.port.link}"


def planned(name: str) -> EventPlan:
    """The plan of a shipped event."""
    stack = read_stack(name, ROOT / "stacks")
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def small(plan: EventPlan, clusters: int, nodes: int) -> EventPlan:
    """The first clusters of a plan, each with its first nodes, and the instructors' node with the
    cards that it has there."""
    kept = tuple(
        replace(cluster, guests=cluster.guests[:nodes]) for cluster in plan.clusters[:clusters]
    )
    networks = {"exposed", "trunk", *(cluster.name for cluster in kept)}
    vlans = {cluster.network.vlan for cluster in kept}
    assert plan.instructor is not None
    cards = tuple(
        replace(nic, trunks=tuple(vlan for vlan in nic.trunks if vlan in vlans))
        for nic in plan.instructor.interfaces
        if nic.network in networks
    )
    return replace(plan, clusters=kept, instructor=replace(plan.instructor, interfaces=cards))


def settings(plan: EventPlan) -> dict[str, dict[str, Any]]:
    """The firewall's rows after `up`: switched on, groups, heads closed but for their group."""
    rows: dict[str, dict[str, Any]] = {"cluster": {"options": {"enable": 1}}}
    for group in (plan.security_group, *(each.security_group for each in plan.clusters)):
        if group is not None:
            rows[f"group_{group.name}"] = {"rules": [_rule(rule) for rule in group.rules]}
    for guest in plan.guests:
        if guest.exposed:
            rows[f"vm_{guest.vmid}"] = _guarded(guest, plan.security_group)
    return rows


def _rule(rule: FirewallRule) -> dict[str, Any]:
    fields = {
        "type": rule.direction, "action": rule.action, "proto": rule.protocol, "enable": 1,
        "source": rule.source and str(rule.source), "dest": rule.dest and str(rule.dest),
        "dport": rule.port and str(rule.port),
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value is not None}


def _guarded(guest: Guest, common: SecurityGroup) -> dict[str, Any]:
    group = guest.security_group or common.name
    return {
        "options": {"enable": 1, "dhcp": 1, "macfilter": 1, "policy_in": "DROP",
                    "policy_out": "DROP"},
        "rules": [{"type": "group", "action": group, "enable": 1}],
        "ipset": {
            f"ipfilter-net{number}": {"entries": [{"cidr": str(nic.address and nic.address.ip)}]}
            for number, nic in guest.filtered_interfaces
        },
    }  # fmt: skip


def plug_in(ground: Ground, plan: EventPlan) -> list[Place]:
    """Settings in force, all cards plugged in, a socket on each; and a stranger's on the exposed
    network, which stands for the world beyond."""
    ground.settings(**settings(plan))
    found = [
        (guest, number, nic)
        for guest in plan.guests
        for number, nic in enumerate(guest.interfaces)
        if nic.network != "parked"
    ]
    ports = [
        Port(
            vmid=guest.vmid, nic=number, host=guest.host, bridge=nic.bridge, vlan=nic.vlan,
            mac=nic.mac, firewall=nic.firewall,
        )
        for guest, number, nic in found
    ]  # fmt: skip
    head = next(each for each in ports if each.firewall)
    world = Port(
        vmid=WORLD, nic=0, host=head.host, bridge=head.bridge, vlan=head.vlan,
        mac="02:ff:00:00:00:05",
    )  # fmt: skip
    legs = [
        replace(port, vlan=vlan, trunk=True)
        for (_, _, nic), port in zip(found, ports, strict=True)
        for vlan in nic.trunks
    ]
    ground.guests(*ports, *legs, world)
    places = [
        Place(
            cluster=guest.cluster or INSTRUCTOR, network=nic.network, port=port,
            address=str(nic.address.ip) if nic.address else "0.0.0.0",
            leg=ground.leg(guest.vmid, port.nic),
        )
        for (guest, _, nic), port in zip(found, ports, strict=True)
        if not nic.trunks
    ]  # fmt: skip
    places += [_of_trunk(ground, plan, leg) for leg in legs]
    stranger = Place(
        cluster="world", network="exposed", port=world, address="198.51.100.5",
        leg=ground.leg(WORLD, 0),
    )  # fmt: skip
    return [*places, stranger]


def _of_trunk(ground: Ground, plan: EventPlan, leg: Port) -> Place:
    """The instructors' leg on the network of the cluster that has its VLAN."""
    cluster = next(each for each in plan.clusters if each.network.vlan == leg.vlan)
    return Place(
        cluster=INSTRUCTOR,
        network=cluster.name,
        port=ground.port(*leg.key),
        address=str(instructor_address(cluster.network.subnet).ip),
        leg=ground.leg(*leg.key),
    )
