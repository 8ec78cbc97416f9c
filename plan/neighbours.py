"""Neighbours: events on one site at a time, and what they would take from each other.

Each event's plan is right by itself; run together, they must not use the same VMID, VLAN, subnet
or exposed address, and their guests must fit on the hosts in sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from plan.capacity import ROUNDING, lacks
from plan.loads import HostLoad, Load
from plan.phrases import few
from plan.records import EventPlan

_Value = int | IPv4Address | IPv4Network
_Used = Callable[[EventPlan], set[_Value]]


def clashes(plan: EventPlan, others: Sequence[EventPlan]) -> tuple[str, ...]:
    """What stands against running an event beside others; only those on its site count."""
    beside = [other for other in others if other.site == plan.site and other.stack != plan.stack]
    found = []
    for other in beside:
        for what, used in _USES:
            if common := used(plan) & used(other):
                names = few([str(value) for value in sorted(common, key=_size)])
                found.append(f"{what} {names} belong to {other.stack} as well")
    full = [load.name for load in summed([plan, *beside]) if lacks(load)]
    full += _full_storages([plan, *beside])
    if full and beside:
        names = few([other.stack for other in beside])
        found.append(f"together with {names} the guests do not fit on {few(full)}")
    return tuple(found)


def summed(plans: Sequence[EventPlan]) -> tuple[HostLoad, ...]:
    """Need of several events on one site against what each host has, in declared order."""
    return tuple(
        HostLoad(
            name=loads[0].name,
            drain=loads[0].drain,
            guests=sum(load.guests for load in loads),
            cores=_sum(load.cores for load in loads),
            memory_mib=_sum(load.memory_mib for load in loads),
            disk_gib=_sum(load.disk_gib for load in loads),
        )
        for loads in zip(*(plan.hosts for plan in plans), strict=True)
    )


def _full_storages(plans: Sequence[EventPlan]) -> list[str]:
    """Shared storages on which the events' disks do not fit together."""
    need: dict[str, float] = {}
    have: dict[str, float] = {}
    for storage in (storage for plan in plans for storage in plan.storages):
        need[storage.name] = need.get(storage.name, 0) + storage.need_gib
        have[storage.name] = storage.have_gib
    return [f"storage {name}" for name in need if need[name] > have[name] + ROUNDING]


def _sum(loads: Iterable[Load]) -> Load:
    several = list(loads)
    return Load(need=sum(load.need for load in several), have=several[0].have)


def _vmids(plan: EventPlan) -> set[_Value]:
    return {guest.vmid for guest in plan.guests}


def _vlans(plan: EventPlan) -> set[_Value]:
    return {cluster.network.vlan for cluster in plan.clusters}


def _subnets(plan: EventPlan) -> set[_Value]:
    return {cluster.network.subnet for cluster in plan.clusters}


def _exposed(plan: EventPlan) -> set[_Value]:
    return {
        nic.address.ip
        for guest in plan.guests
        for nic in guest.interfaces
        if nic.network == "exposed" and nic.address
    }


def _size(value: _Value) -> int:
    return int(value.network_address) if isinstance(value, IPv4Network) else int(value)


_USES: tuple[tuple[str, _Used], ...] = (
    ("the VMIDs", _vmids),
    ("the VLANs", _vlans),
    ("the subnets", _subnets),
    ("the exposed addresses", _exposed),
)
