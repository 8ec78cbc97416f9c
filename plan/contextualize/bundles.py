"""Bundles: from an event's plan to the orders for every guest of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from event.model import Level
from plan.contextualize import own
from plan.contextualize.levels import base, monitoring, mpi, nfs, scheduler, ssh
from plan.contextualize.orders import ClusterOrders, File, Orders, Playbook, Script
from plan.contextualize.scene import Scene, reaches
from plan.records import Cluster, EventPlan, Guest


class Part(NamedTuple):
    """What a level gives to a guest."""

    files: Callable[[Scene], tuple[File, ...]]
    scripts: Callable[[Scene], tuple[Script, ...]]
    checks: Callable[[Scene], tuple[Script, ...]]


PARTS: dict[Level, Part] = {
    "base": Part(base.files, base.scripts, base.checks),
    "ssh": Part(ssh.files, ssh.scripts, ssh.checks),
    "nfs": Part(nfs.files, nfs.scripts, nfs.checks),
    "mpi": Part(mpi.files, mpi.scripts, mpi.checks),
    "scheduler": Part(scheduler.files, scheduler.scripts, scheduler.checks),
    "monitoring": Part(monitoring.files, monitoring.scripts, monitoring.checks),
}
"""In the order in which they are carried out."""


def all_orders(plan: EventPlan, secret: str) -> tuple[ClusterOrders, ...]:
    """Orders for everything of an event that is prepared at all, the instructors' node first."""
    names = ["instructor"] if plan.instructor and plan.instructor.prepared else []
    names += [each.name for each in plan.clusters if prepared(each)]
    return tuple(orders_for(plan, name, secret) for name in names)


def orders_for(plan: EventPlan, name: str, secret: str) -> ClusterOrders:
    """Orders for a cluster, or for `instructor`; guests that get nothing are left out.

    Raises `KeyError` for a name that the event does not have.
    """
    if plan.instructor is not None and name == plan.instructor.name:
        guests: tuple[Guest, ...] = (plan.instructor,)
        network = None
    else:
        cluster = {each.name: each for each in plan.clusters}[name]
        guests, network = cluster.guests, cluster.network
    scenes = [
        Scene(plan=plan, name=name, guests=guests, network=network, guest=guest, secret=secret)
        for guest in guests
        if guest.prepared
    ]
    playbooks = tuple(own.playbooks(scenes))
    return ClusterOrders(
        cluster=name,
        guests=tuple(_orders(scene, playbooks) for scene in scenes),
        playbooks=playbooks,
    )


def prepared(cluster: Cluster) -> bool:
    """Whether contextualization has anything to do with a cluster."""
    return any(guest.prepared for guest in cluster.guests)


def _orders(scene: Scene, playbooks: Sequence[Playbook]) -> Orders:
    levels = [each for name, each in PARTS.items() if reaches(scene.guest.level, name)]
    return Orders(
        guest=scene.guest.name,
        vmid=scene.guest.vmid,
        level=scene.guest.level,
        files=(*(file for level in levels for file in level.files(scene)), *own.files(scene)),
        scripts=(
            *(script for level in levels for script in level.scripts(scene)),
            *own.scripts(scene),
        ),
        checks=tuple(script for level in levels for script in level.checks(scene)),
        marks=tuple(each.mark for each in playbooks if scene.guest.name in each.facts),
    )
