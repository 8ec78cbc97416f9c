"""The scene: one guest among the others of its cluster, as the levels look at it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from event.model import Level
from plan.contextualize.orders import File, Script
from plan.records import LEVELS, ClusterNetwork, EventPlan, Guest

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A guest, its cluster, its event, and the event's secret."""

    plan: EventPlan
    name: str  # of the cluster; `instructor` for the instructors' node, which is alone
    guests: tuple[Guest, ...]  # of the cluster, head first
    network: ClusterNetwork | None  # None for the instructors' node
    guest: Guest
    secret: str = field(repr=False)

    @property
    def head(self) -> Guest:
        """The cluster's head."""
        return self.guests[0]

    @property
    def is_head(self) -> bool:
        """Whether this guest is its cluster's head."""
        return self.guest.name == self.head.name

    @property
    def others(self) -> tuple[Guest, ...]:
        """The cluster's other nodes, seen from the head."""
        return self.guests[1:]

    def address(self, guest: Guest) -> IPv4Address:
        """Where a guest answers on the cluster's network."""
        for nic in guest.interfaces:
            if nic.network == self.name and nic.address is not None:
                return nic.address.ip
        raise AssertionError(f"{guest.name} has no address on {self.name}")

    @property
    def subnet(self) -> str:
        """The cluster's network, as `address/length`."""
        if self.network is None:
            raise AssertionError(f"{self.guest.name} is in no cluster")
        return str(self.network.subnet)

    @property
    def interface(self) -> str:
        """The guest's interface on the cluster's network: Proxmox VE's cloud-init drive names
        NIC number N eth<N>."""
        for number, nic in enumerate(self.guest.interfaces):
            if nic.network == self.name:
                return f"eth{number}"
        raise AssertionError(f"{self.guest.name} has no NIC on {self.name}")

    def among(self, level: Level) -> tuple[Guest, ...]:
        """Guests of the cluster that are prepared up to a level, or further."""
        return tuple(each for each in self.guests if reaches(each.level, level))

    def script(
        self, name: str, files: tuple[File, ...] = (), *, given: str = "", **variables: str
    ) -> Script:
        """A script of the folder, with variables put before it as quoted words.

        `HEAD`, `NODES` (all others), `NAME`, `LOGIN` are always there.
        """
        known = {
            "NAME": self.guest.name,
            "HEAD": self.head.name,
            "NODES": " ".join(each.name for each in self.others),
            "LOGIN": self.guest.login.user,
        } | variables
        lines = "".join(f"{key}={shlex.quote(value)}\n" for key, value in sorted(known.items()))
        prelude = (SCRIPTS / "prelude.sh").read_text()
        text = lines + prelude + (SCRIPTS / f"{name}.sh").read_text()
        return Script(name=name, text=text, given=given, files=files)


def reaches(level: Level, wanted: Level) -> bool:
    """Whether a guest at `level` has what `wanted` gives."""
    return LEVELS.index(level) >= LEVELS.index(wanted)
