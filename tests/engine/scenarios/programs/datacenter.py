"""High availability, replication, and what the datacenter keeps: mappings, servers, realms."""

from __future__ import annotations

import os

import pulumi
import pulumi_proxmoxve as proxmox
from pulumi_proxmoxve import acme, cluster, hardware, metrics, realm

UPDATED = os.environ["SCENARIO_STEP"] == "update"

watched = [
    proxmox.Haresource(
        name,
        resource_id=f"vm:{vmid}",
        state="stopped",
        comment="twice" if UPDATED else "once",
        max_restart=3 if UPDATED else 2,
    )
    for name, vmid in (("ha-resource", 100), ("ha-resource-other", 101))
]
both = pulumi.ResourceOptions(depends_on=watched)
proxmox.Harule(
    "ha-rule-node-affinity",
    rule="place",
    type="node-affinity",
    resources=["vm:100"],
    nodes={"pve1": 2, "pve2": 2} if UPDATED else {"pve1": 2},
    strict=True,
    opts=both,
)
proxmox.Harule(
    "ha-rule-resource-affinity",
    rule="apart",
    type="resource-affinity",
    affinity="negative",
    resources=["vm:100", "vm:101"],
    comment="apart still" if UPDATED else "apart",
    opts=both,
)
proxmox.Replication(
    "replication",
    resource_id="102-0",
    type="local",
    target="pve2",
    schedule="*/30" if UPDATED else "*/15",
    comment="copy",
)
hardware.mapping.Pci(
    "mapping-pci",
    name="card",
    comment="new" if UPDATED else "old",
    mediated_devices=UPDATED,
    maps=[
        hardware.mapping.PciMapArgs(
            node="pve1", id="8086:1533", path="0000:01:00.0", iommu_group=4,
            subsystem_id="8086:0001",
        )
    ],
)  # fmt: skip
hardware.mapping.Usb(
    "mapping-usb",
    name="stick",
    comment="new" if UPDATED else "old",
    maps=[hardware.mapping.UsbMapArgs(node="pve1", id="1234:5678")],
)
hardware.mapping.Dir(
    "mapping-dir",
    name="share",
    maps=[hardware.mapping.DirMapArgs(node="pve1", path="/srv/new" if UPDATED else "/srv/old")],
)
metrics.Server(
    "metrics-influxdb",
    name="influx",
    type="influxdb",
    server="192.0.2.9" if not UPDATED else "192.0.2.10",
    port=8089,
)
metrics.Server(
    "metrics-graphite",
    name="graphite",
    type="graphite",
    server="192.0.2.9",
    port=2003,
    graphite_path="lab.new" if UPDATED else "lab.old",
)
realm.Ldap(
    "realm-ldap",
    realm="directory",
    server1="192.0.2.9",
    base_dn="dc=example,dc=org",
    user_attr="uid",
    bind_dn="cn=reader,dc=example,dc=org",
    bind_password=pulumi.Output.secret("not-a-secret"),
    comment="new" if UPDATED else "old",
)
realm.Openid(
    "realm-openid",
    realm="single",
    issuer_url="https://id.example",
    client_id="lab",
    autocreate=UPDATED,
    comment="sign-on",
)
acme.dns.Plugin(
    "acme-dns-plugin",
    plugin="zone",
    api="pdns",
    data={"PDNS_Url": "https://dns.example"},
    validation_delay=20 if UPDATED else 10,
)
cluster.Options(
    "cluster-options",
    language="de" if UPDATED else "en",
    mac_prefix="BC:24:22",
    next_id=cluster.OptionsNextIdArgs(lower=1000, upper=2000),
    migration_type="insecure",
    crs_ha="static",
)
