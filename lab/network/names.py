"""Names of namespaces and links: they follow from the lab's state folder and the host, so that two
labs never meet and a lab finds its own again after a restart. Nothing here touches the system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_LONGEST = 15  # characters of a link's name, Linux's limit
_TRUNK = "t."
_LEG = "leg"
_TAP = re.compile(r"tap(\d+)i(\d+)")
Key = tuple[int, int, int]
"""A guest, its card, and 0, or the VLAN of a leg of the card's trunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A guest's network card at its host; `vlan` None is the untagged network of the bridge.

    With `trunk` it is a leg of the card's trunk: what a VLAN interface on the card would be.
    """

    vmid: int
    nic: int
    host: str
    bridge: str
    vlan: int | None
    mac: str
    firewall: bool = False
    trunk: bool = False

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.vmid, self.nic, (self.vlan or 0) if self.trunk else 0

    @property
    def link(self) -> str:
        """The host's end, named as Proxmox VE names a card's."""
        if self.trunk:
            return f"{_LEG}{_digest(f'{self.vmid}/{self.nic}/{self.vlan}', 12)}"
        return f"tap{self.vmid}i{self.nic}"

    @property
    def inner(self) -> str:
        """The guest's end."""
        return f"vlan{self.vlan}" if self.trunk else f"eth{self.nic}"

    @property
    def network(self) -> str:
        """The bridge that the card is on."""
        return network_link(self.bridge, self.vlan)

    def alias(self) -> str:
        """What the kernel keeps with the link, for `port_of`."""
        vlan = "-" if self.vlan is None else self.vlan
        words = f"practicum {self.bridge} {vlan} {self.mac} {int(self.firewall)}"
        return f"{words} {self.vmid} {self.nic}" if self.trunk else words


def port_of(host: str, link: str, alias: str) -> Port | None:
    """The card behind a link of a host; None when the link is no card of ours."""
    found, words = _TAP.fullmatch(link), alias.split()
    numbers = found.groups() if found else words[5:] if link.startswith(_LEG) else ()
    if len(numbers) != 2 or len(words) != (5 if found else 7) or words[0] != "practicum":
        return None
    return Port(
        vmid=int(numbers[0]),
        nic=int(numbers[1]),
        host=host,
        bridge=words[1],
        vlan=None if words[2] == "-" else int(words[2]),
        mac=words[3],
        firewall=words[4] == "1",
        trunk=found is None,
    )


def network_link(bridge: str, vlan: int | None) -> str:
    """The bridge of one VLAN: there is one for each, instead of one bridge that knows tags."""
    name = bridge if vlan is None else f"{bridge}v{vlan}"
    longest = _LONGEST - len(_TRUNK)
    return name if len(name) <= longest else f"b{_digest(name, 10)}"


def trunk_link(network: str) -> str:
    """A host's end of the trunk of one of its bridges."""
    return f"{_TRUNK}{network}"


TRUNKS = f"{_TRUNK}*"
"""Matches all trunks of a host, and no card of a guest."""


def switch_port(host: str, network: str) -> str:
    """The switch's end of the trunk of a host's bridge."""
    return f"p{_digest(f'{host}/{network}', 12)}"


def own_mac(place: str) -> str:
    """A locally administered address that follows from a text."""
    digits = _digest(place, 10)
    return ":".join(["06", *(digits[n : n + 2] for n in range(0, 10, 2))])


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Names of a lab's network namespaces; `state` is its folder."""

    state: Path

    @property
    def prefix(self) -> str:
        """What all of them begin with."""
        return f"practicum-{_digest(str(self.state.resolve()), 8)}-"

    def host(self, name: str) -> str:
        """The namespace of a host."""
        return f"{self.prefix}{name}"

    @property
    def switch(self) -> str:
        """Where the trunks of all hosts meet."""
        return f"{self.prefix}_switch"

    @property
    def outside(self) -> str:
        """What is beyond the hosts: whoever talks to exposed guests."""
        return f"{self.prefix}_outside"


def _digest(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]
