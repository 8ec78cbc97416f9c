"""Documents: texts that contextualization puts on a guest, built from the plan alone.

Nothing here is secret; keys that derive from the event's secret are in `plan.identity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plan.addressing import instructor_address
from plan.records import ClusterNetwork, Document

HOSTS_PATH = "/etc/hosts"
HOSTS_TEMPLATE_PATH = "/etc/cloud/templates/hosts.debian.tmpl"
TRUNK_PREFIX = "/etc/systemd/network/60-practicum-"

_LOOPBACK = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

HostLine = tuple[str, tuple[str, ...]]
"""An address, and the names that it has."""


def hosts_documents(lines: Iterable[HostLine]) -> tuple[Document, ...]:
    """The hosts file, with these names only; the order is kept.

    Proxmox VE has cloud-init manage /etc/hosts (`manage_etc_hosts: true` in its user data), so
    that each boot writes it anew from the template: both get the same lines.
    """
    text = _LOOPBACK + "".join(f"{address} {' '.join(names)}\n" for address, names in lines)
    return (
        Document(path=HOSTS_PATH, mode="0644", text=text),
        Document(path=HOSTS_TEMPLATE_PATH, mode="0644", text=f"## template:basic\n{text}"),
    )


def trunk_documents(mac: str, networks: Sequence[ClusterNetwork]) -> tuple[Document, ...]:
    """VLAN interfaces `vlan<tag>` on the trunk NIC with this MAC, for systemd-networkd.

    A container cannot make such interfaces. Its host gives it others of these names, as the lab
    does: they get the addresses all the same.
    """
    vlans = "".join(f"VLAN={vlan_interface(network)}\n" for network in networks)
    # The interfaces on it have its MAC as well.
    trunk = (
        f"[Match]\nMACAddress={mac.lower()}\nName=!vlan*\n\n"
        f"[Link]\nRequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\n{vlans}"
    )
    found = [Document(path=f"{TRUNK_PREFIX}trunk.network", mode="0644", text=trunk)]
    for network in networks:
        name = vlan_interface(network)
        device = (
            f"[Match]\nVirtualization=!container\n\n[NetDev]\nName={name}\nKind=vlan\nDescription={network.cluster}\n\n"
            f"[VLAN]\nId={network.vlan}\n"
        )
        address = (
            f"[Match]\nName={name}\n\n[Link]\nRequiredForOnline=no\n\n"
            f"[Network]\nDescription={network.cluster}\nLinkLocalAddressing=no\n"
            f"Address={instructor_address(network.subnet)}\n"
        )
        found.append(Document(path=f"{TRUNK_PREFIX}{name}.netdev", mode="0644", text=device))
        found.append(Document(path=f"{TRUNK_PREFIX}{name}.network", mode="0644", text=address))
    return tuple(found)


def vlan_interface(network: ClusterNetwork) -> str:
    """The instructors' interface on a cluster's network, where one NIC carries all of them."""
    return f"vlan{network.vlan}"
