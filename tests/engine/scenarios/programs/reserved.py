"""Guests and what belongs to them, within reserved numbers, one pool and one storage.

It runs against a lab, and against any Proxmox VE endpoint that somebody names: nothing in it has
a name that others would use, and nothing in it starts.
"""

from __future__ import annotations

import os
from typing import Any

import pulumi
import pulumi_proxmoxve as proxmox
from pulumi_proxmoxve import backup, cluster, firewall, user

UPDATED = os.environ["SCENARIO_STEP"] == "update"
WORD = "new" if UPDATED else "old"
NODE = os.environ["SCENARIO_NODE"]
STORAGE = os.environ["SCENARIO_STORAGE"]
POOL = os.environ["SCENARIO_POOL"]
FIRST = int(os.environ["SCENARIO_VMID"])


def disk(size: int, **more: Any) -> proxmox.VmLegacyDiskArgs:
    """A disk of some GiB; one limit is written, without it the provider sees a difference."""
    return proxmox.VmLegacyDiskArgs(
        interface="scsi0",
        datastore_id=STORAGE,
        size=size,
        speed=proxmox.VmLegacyDiskSpeedArgs(iops_read=1_000_000),
        **more,
    )


def machine(name: str, number: int, *after: pulumi.Resource, **more: Any) -> proxmox.VmLegacy:
    """A small guest in the pool, with every block spelled out."""
    return proxmox.VmLegacy(
        name,
        node_name=NODE,
        vm_id=FIRST + number,
        name=name,
        pool_id=space.pool_id,
        started=False,
        stop_on_destroy=True,
        agent=proxmox.VmLegacyAgentArgs(enabled=False),
        cdrom=proxmox.VmLegacyCdromArgs(file_id="none", interface="ide3"),
        operating_system=proxmox.VmLegacyOperatingSystemArgs(type="l26"),
        scsi_hardware="virtio-scsi-single",
        serial_devices=[proxmox.VmLegacySerialDeviceArgs(device="socket")],
        vga=proxmox.VmLegacyVgaArgs(type="serial0"),
        opts=pulumi.ResourceOptions(depends_on=after, delete_before_replace=True),
        **more,
    )


def clone(full: bool) -> dict[str, Any]:
    """Arguments of a copy of the template."""
    return {"clone": proxmox.VmLegacyCloneArgs(vm_id=FIRST, node_name=NODE, full=full)}


space = proxmox.PoolLegacy("guest-pool", pool_id=POOL, comment=WORD)
template = machine(
    "guest-template",
    0,
    template=True,
    cpu=proxmox.VmLegacyCpuArgs(cores=1, type="x86-64-v2-AES"),
    memory=proxmox.VmLegacyMemoryArgs(dedicated=64),
    disks=[disk(1)],
)
linked = machine(
    "guest-linked-clone",
    1,
    template,
    tags=["changed", "copy"] if UPDATED else ["copy"],
    cpu=proxmox.VmLegacyCpuArgs(cores=2 if UPDATED else 1, type="x86-64-v2-AES"),
    memory=proxmox.VmLegacyMemoryArgs(dedicated=128),
    disks=[disk(1)],
    network_devices=[
        proxmox.VmLegacyNetworkDeviceArgs(
            bridge="vmbr0", mac_address="02:00:00:00:00:01", vlan_id=7, firewall=True
        )
    ],
    **clone(full=False),
)
machine(
    "guest-full-clone",
    2,
    template,
    description=WORD,
    cpu=proxmox.VmLegacyCpuArgs(cores=1, type="x86-64-v2-AES"),
    memory=proxmox.VmLegacyMemoryArgs(dedicated=128),
    disks=[disk(2 if UPDATED else 1)],
    **clone(full=True),
)
configured = machine(
    "guest-cloud-init",
    3,
    cpu=proxmox.VmLegacyCpuArgs(cores=1, type="x86-64-v2-AES"),
    memory=proxmox.VmLegacyMemoryArgs(dedicated=64),
    disks=[disk(1)],
    initialization=proxmox.VmLegacyInitializationArgs(
        datastore_id=STORAGE,
        interface="ide2",
        ip_configs=[
            proxmox.VmLegacyInitializationIpConfigArgs(
                ipv4=proxmox.VmLegacyInitializationIpConfigIpv4Args(
                    address="192.0.2.20/24" if UPDATED else "192.0.2.10/24", gateway="192.0.2.1"
                )
            )
        ],
    ),
)
member = machine(
    "guest-blank",
    4,
    cpu=proxmox.VmLegacyCpuArgs(cores=1, type="x86-64-v2-AES"),
    memory=proxmox.VmLegacyMemoryArgs(dedicated=128 if UPDATED else 64),
    disks=[disk(1)],
)
group = cluster.firewall.security.GroupLegacy(
    "guest-security-group",
    name="practicum-co",
    comment=WORD,
    rules=[
        cluster.firewall.security.GroupLegacyRuleArgs(
            type="in", action="ACCEPT", proto="tcp", dport="2222" if UPDATED else "22"
        )
    ],
)
firewall.OptionsLegacy(
    "guest-firewall-options",
    node_name=NODE,
    vm_id=linked.vm_id,
    enabled=True,
    dhcp=True,
    macfilter=UPDATED,
)
firewall.RulesLegacy(
    "guest-firewall-rules",
    node_name=NODE,
    vm_id=linked.vm_id,
    rules=[firewall.RulesLegacyRuleArgs(security_group=group.name, comment=WORD)],
)
backup.Job(
    "guest-backup-job",
    resource_id="practicum-co",
    schedule="sun 02:00" if UPDATED else "sun 01:00",
    storage=STORAGE,
    pool=space.pool_id,
    enabled=False,
    mode="snapshot",
    compress="zstd",
)
role = proxmox.RoleLegacy(
    "guest-role",
    role_id="PracticumCo",
    privileges=["VM.Audit", "VM.PowerMgmt"][: 2 if UPDATED else 1],
)
holder = proxmox.UserLegacy("guest-user", user_id="practicum-co@pve", comment=WORD)
proxmox.Acl(
    "guest-acl",
    path=pulumi.Output.concat("/pool/", space.pool_id),
    role_id=role.role_id,
    user_id=holder.user_id,
    propagate=not UPDATED,
)
user.Token("guest-token", user_id=holder.user_id, token_name="co", comment=WORD)
