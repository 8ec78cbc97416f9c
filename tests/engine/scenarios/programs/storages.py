"""Definitions of storages of every type, and a backup job on one of them."""

from __future__ import annotations

import os

import pulumi
from pulumi_proxmoxve import backup, storage

UPDATED = os.environ["SCENARIO_STEP"] == "update"
NODES = ["pve1", "pve2"] if UPDATED else ["pve1"]

folder = storage.Directory(
    "storage-directory",
    resource_id="folder",
    path="/srv/folder",
    contents=["backup", "iso"],
    nodes=NODES,
)
storage.Nfs(
    "storage-nfs",
    resource_id="nfs",
    server="192.0.2.9",
    export="/export",
    contents=["images"],
    nodes=NODES,
)
storage.Cifs(
    "storage-cifs",
    resource_id="cifs",
    server="192.0.2.9",
    share="share",
    username="lab",
    password=pulumi.Output.secret("not-a-secret"),
    contents=["iso"],
    nodes=NODES,
)
storage.Lvm("storage-lvm", resource_id="lvm", volume_group="vg", contents=["images"], nodes=NODES)
storage.Lvmthin(
    "storage-lvmthin",
    resource_id="lvmthin",
    volume_group="vg",
    thin_pool="data",
    contents=["images"],
    nodes=NODES,
)
storage.Zfspool(
    "storage-zfspool", resource_id="zfs", zfs_pool="rpool/vms", contents=["images"], nodes=NODES
)
storage.Pbs(
    "storage-pbs",
    resource_id="pbs",
    server="192.0.2.9",
    datastore="store",
    username="lab@pbs",
    password=pulumi.Output.secret("not-a-secret"),
    contents=["backup"],
    nodes=["pve1"],  # every change of this class fails inside the provider
)
backup.Job(
    "backup-job",
    resource_id="weekly",
    schedule="sun 02:00" if UPDATED else "sun 01:00",
    storage=folder.resource_id,
    all=True,
    mode="snapshot",
    compress="zstd",
)
