"""Documents: texts that contextualization puts on a guest, built from the plan alone.

Nothing here is secret; keys that derive from the event's secret are in `plan.identity`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from plan.addressing import instructor_address
from plan.records import ClusterNetwork, Document

HOSTS_PATH = "/etc/hosts"
HOSTS_TEMPLATE_PATH = "/etc/cloud/templates/hosts.debian.tmpl"
TRUNK_PATH = "/etc/netplan/60-practicum-trunk.yaml"

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


def trunk_document(mac: str, networks: Sequence[ClusterNetwork]) -> Document:
    """VLAN interfaces, named like their clusters, on the trunk NIC with this MAC; for netplan.

    Written as JSON, which is YAML as well. Mode 0600: netplan warns of anything wider.
    """
    config = {
        "network": {
            "version": 2,
            "ethernets": {
                "trunk": {"match": {"macaddress": mac.lower()}, "set-name": "trunk"},
            },
            "vlans": {
                network.cluster: {
                    "id": network.vlan,
                    "link": "trunk",
                    "addresses": [str(instructor_address(network.subnet))],
                }
                for network in networks
            },
        }
    }
    return Document(path=TRUNK_PATH, mode="0600", text=json.dumps(config, indent=1) + "\n")
