"""What belongs to one host: names, resolver, clock, description, package sources, certificate."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi_proxmoxve as proxmox
from pulumi_proxmoxve import apt, node

UPDATED = os.environ["SCENARIO_STEP"] == "update"
STATE = Path(os.environ["SCENARIO_LAB"])

proxmox.DnsLegacy(
    "host-dns",
    node_name="pve1",
    domain="new.example" if UPDATED else "old.example",
    servers=["192.0.2.1", "192.0.2.2"],
)
proxmox.TimeLegacy(
    "host-time", node_name="pve1", time_zone="Europe/Vienna" if UPDATED else "Europe/Berlin"
)
proxmox.HostsLegacy(
    "host-hosts",
    node_name="pve1",
    entry=[
        proxmox.HostsLegacyEntryArgs(address="127.0.0.1", hostnames=["localhost"]),
        proxmox.HostsLegacyEntryArgs(
            address="192.0.2.1", hostnames=["new.example" if UPDATED else "old.example"]
        ),
    ],
)
node.Config("host-config", node_name="pve2", description="new" if UPDATED else "old")
apt.standard.Repository("apt-standard-repository", node="pve1", handle="no-subscription")
apt.Repository(
    "apt-repository",
    node="pve2",
    file_path="/etc/apt/sources.list.d/debian.sources",
    index=0,
    enabled=not UPDATED,
)
proxmox.CertificateLegacy(
    "host-certificate",
    node_name="pve3",
    certificate=(STATE / ("ca.pem" if UPDATED else "server.pem")).read_text(),
    private_key=(STATE / ("ca.key" if UPDATED else "server.key")).read_text(),
    overwrite=True,
)
