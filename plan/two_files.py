"""The two files of the 2009 platform: the same plan as a cluster and a deployment configuration.

    clusters.txt    a line per guest: hostname image root-password mac/vlan/ip[,mac/vlan/ip…]
    deployment.txt  a line per host: host guest guest …

A password is `--`: practicum derives passwords and writes none down. A VLAN is a number, `-` for
untagged, or several joined by `+` on a trunk, with ranges as `101-126`; an address is IPv4, `dhcp`
or `-`. Lines that start with `#` are comments. (M. Woitaszek et al., "Virtual Clusters for Hands-on
Linux Cluster Construction Education", section on deployment.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plan.records import EventPlan, Guest, Interface

CLUSTERS_FILE = "clusters.txt"
DEPLOYMENT_FILE = "deployment.txt"

NOT_WRITTEN = "--"
NONE = "-"
DHCP = "dhcp"

_CLUSTERS_HEAD = "# hostname image root-password mac/vlan/ip,...\n"
_DEPLOYMENT_HEAD = "# host guest ...\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoFiles:
    """Texts of the two files."""

    clusters: str
    deployment: str


def export_two_files(plan: EventPlan) -> TwoFiles:
    """An event as the two files; hosts in declared order, drained ones with no guest."""
    guests = plan.guests
    on_host: dict[str, list[str]] = {host.name: [] for host in plan.hosts}
    for guest in guests:
        on_host[guest.host].append(guest.name)
    return TwoFiles(
        clusters=_CLUSTERS_HEAD + "".join(_guest_line(guest) for guest in guests),
        deployment=_DEPLOYMENT_HEAD
        + "".join(f"{' '.join([host, *names])}\n" for host, names in on_host.items()),
    )


def folded(numbers: Sequence[int]) -> str:
    """Ascending numbers with their runs folded: 101-103+105."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "+".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _guest_line(guest: Guest) -> str:
    nics = ",".join(_nic(nic) for nic in guest.interfaces)
    return f"{guest.name} {guest.template.image} {NOT_WRITTEN} {nics}\n"


def _nic(nic: Interface) -> str:
    vlan = folded(nic.trunks) if nic.trunks else str(nic.vlan) if nic.vlan else NONE
    address = str(nic.address.ip) if nic.address else DHCP if nic.dhcp else NONE
    return f"{nic.mac}/{vlan}/{address}"
