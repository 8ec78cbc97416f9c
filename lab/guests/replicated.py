"""What a replicated guest cannot have: volumes that no replication job could copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.errors import failure
from lab.guests import drives
from lab.storage import definitions, names
from lab.storage.definitions import storage_config

if TYPE_CHECKING:
    from lab.app import Lab

# Storages whose volumes can be sent from host to host.
_SENDING = frozenset({"zfspool"})
_NO_COPY = "cannot add non-replicatable volume to a replicated VM"


def targets(lab: Lab, vmid: int | str) -> list[str]:
    """The hosts that a guest is replicated to."""
    jobs = (job for _, job in lab.store.items("replication"))
    return [str(job["target"]) for job in jobs if str(job["guest"]) == str(vmid)]


def follow(lab: Lab, vmid: int, old: str, new: str) -> None:
    """Let the jobs of a guest go from its new host, and to its old one instead of the new."""
    for name, job in list(lab.store.items("replication")):
        if str(job["guest"]) == str(vmid):
            target = old if job["target"] == new else job["target"]
            lab.store.put("replication", name, {**job, "target": target, "source": new})


def can_send(lab: Lab, storage: str) -> bool:
    """Whether volumes of a storage can be sent from host to host."""
    return storage_config(lab, storage)["type"] in _SENDING


def _can_replicate(lab: Lab, storage: str) -> bool:
    return can_send(lab, storage) or definitions.is_shared(storage_config(lab, storage))


def check_drive(lab: Lab, vmid: int | str, drive: drives.Drive) -> None:
    """500 for a drive that a replicated guest cannot have."""
    file = drive["file"]
    if drives.is_cdrom(drive) or not drive.get("replicate", 1) or not targets(lab, vmid):
        return
    name = names.split_volume_id(file)
    if name is None:
        raise failure("cannot add non-managed/pass-through volume to a replicated VM")
    if name[1] != "cloudinit" and not _can_replicate(lab, name[0]):
        raise failure(_NO_COPY)


def check_mount(lab: Lab, vmid: int | str, mount: dict[str, Any]) -> None:
    """500 for a mount point that a replicated container cannot have."""
    if not mount.get("replicate", 1) or not targets(lab, vmid):
        return
    name = names.split_volume_id(str(mount["volume"]))
    if name is None or not _can_replicate(lab, name[0]):
        raise failure(_NO_COPY)
