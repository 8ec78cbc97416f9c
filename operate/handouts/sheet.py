"""The data of a sheet: one group's machines and logins, decided once for every form of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from plan.identity import host_key
from plan.naming import root_label
from plan.records import LEVELS, EventPlan, Guest
from plan.secrets import password


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node on a sheet. `fingerprint` is that of its SSH host key, where we have chosen it."""

    node: str  # n1
    guest: str  # c07-n1
    address: str  # on the cluster's network; on the exposed one for the instructors' node
    cores: int
    memory_mib: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one group, or the instructors, need to begin."""

    event: str
    cluster: str  # c07, or instructor
    title: str
    address: str  # where its first node is reached from outside; `by DHCP`
    user: str
    password: str = field(repr=False)
    root_password: str = field(repr=False)  # empty where contextualization sets none
    subnet: str
    level: str
    nodes: tuple[Node, ...]
    first_step: str

    @property
    def url(self) -> str:
        """What a telephone opens."""
        return f"ssh://{self.user}@{self.address}"


FIRST_STEPS = {
    "none": "Log in to the head, and make every node reach every other one by name.",
    "base": "Log in to the head, and let yourself go to every node without a password.",
    "ssh": "Share /home of the head with every node.",
    "nfs": "Install Open MPI on every node, and run one program on all of them.",
    "mpi": "Install munge and Slurm, and submit a job over all nodes.",
    "scheduler": "Install Ganglia or Prometheus, and watch a job while it runs.",
    "monitoring": "Everything is in place: submit a job, and watch it.",
}
"""What a cluster at a level lacks first."""


def sheets(plan: EventPlan, secret: str) -> tuple[Sheet, ...]:
    """A sheet for each cluster, in their order."""
    return tuple(_sheet(plan, each.name, each.guests, secret) for each in plan.clusters)


def instructor_sheet(plan: EventPlan, secret: str) -> Sheet | None:
    """The instructors' own; None where the event has no instructors' node."""
    if plan.instructor is None:
        return None
    return _sheet(plan, plan.instructor.name, (plan.instructor,), secret)


def _sheet(plan: EventPlan, name: str, guests: tuple[Guest, ...], secret: str) -> Sheet:
    head = guests[0]
    cluster = next((each for each in plan.clusters if each.name == name), None)
    prepared = head.level != "none"
    level = min((each.level for each in guests), key=LEVELS.index)
    step = FIRST_STEPS[level] if cluster else "Log in; every node answers to its guest's name."
    return Sheet(
        event=plan.title or plan.stack,
        cluster=name,
        title=(cluster.title if cluster else "Instructors"),
        address=outside(head),
        user=head.login.user,
        password=password(secret, head.login.password_label),
        root_password=password(secret, root_label(plan.stack, name)) if prepared else "",
        subnet=str(cluster.network.subnet) if cluster else "",
        level=level,
        nodes=tuple(_nodes(plan, guests, secret)),
        first_step=step,
    )


def _nodes(plan: EventPlan, guests: tuple[Guest, ...], secret: str) -> Iterator[Node]:
    for guest in guests:
        key = host_key(secret, plan.stack, guest.name) if guest.level != "none" else None
        yield Node(
            node=guest.node,
            guest=guest.name,
            address=inside(guest),
            cores=guest.cores,
            memory_mib=guest.memory_mib,
            fingerprint=key.fingerprint if key else "",
        )


def outside(guest: Guest) -> str:
    """Where a guest is reached from outside."""
    address = guest.interfaces[0].address
    return str(address.ip) if address else "by DHCP"


def inside(guest: Guest) -> str:
    """A guest's address on its cluster's network; of the instructors' node the exposed one."""
    for nic in guest.interfaces:
        if nic.network == guest.cluster and nic.address:
            return str(nic.address.ip)
    return outside(guest)
