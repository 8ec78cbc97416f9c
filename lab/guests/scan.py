"""What keeps a guest's volumes from going to another host, found before any of them goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import failure
from lab.guests import drives
from lab.guests.record import Guest
from lab.storage import names
from lab.storage.definitions import is_shared, storage_config
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

_MIGRATABLE = frozenset({"dir", "btrfs", "zfspool", "lvmthin", "lvm"})
_HEAD = "Problem found while scanning volumes - "
_PLACE = " at /usr/share/perl5/PVE/QemuMigrate.pm line 1."
_ONLINE = "can't live migrate attached local disks without with-local-disks option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A volume that a guest refers to: by which key, and whether only a snapshot does."""

    key: str
    drive: dict[str, Any]
    attached: bool = False
    of_snapshot: bool = False

    @property
    def volume(self) -> str:
        """The volume id, or the path of a device."""
        return str(self.drive["file"])


def used(guest: Guest) -> list[Used]:
    """Every volume of a guest once: attached ones, unused ones, those of snapshots only."""
    found = [Used(key=key, drive=drive, attached=True) for key, drive in guest.drives()]
    found += [
        Used(key=key, drive={"file": value})
        for key, value in guest.config.items()
        if drives.is_unused(key)
    ]
    for snapshot in guest.snapshots.values():
        seen = {each.volume for each in found}
        found += [
            Used(key=key, drive=drive, of_snapshot=True)
            for key, drive in guest.drives(snapshot)
            if drive["file"] not in seen
        ]
        if memory := snapshot.get("vmstate"):
            found.append(Used(key="unused0", drive={"file": memory}, of_snapshot=True))
    return found


def check_volumes(guest: Guest, *, with_local_disks: bool, log: TaskLog) -> None:
    """500, with the reasons in the log, when a local volume cannot go."""
    faults: list[str] = []
    for each in used(guest):
        if text := _fault(guest, each, with_local_disks=with_local_disks):
            where = "" if each.volume == "cdrom" else f"can't migrate local disk '{each.volume}': "
            faults.append(f"{where}{text}")
    for line in faults:
        log(line)
    if faults:
        raise failure(f"{_HEAD}can't migrate VM - check log")
    for each, config in _local(guest):
        if config["type"] not in _MIGRATABLE:
            text = f"can't migrate '{each.volume}' - storage type '{config['type']}' not supported"
            raise failure(_HEAD + text)
        parsed = names.parse_name(config["type"], each.volume.partition(":")[2])
        if parsed.base:
            raise failure(
                f"{_HEAD}can't migrate '{each.volume}' as it's a clone of '{parsed.base}'{_PLACE}"
            )


def _local(guest: Guest) -> Iterator[tuple[Used, dict[str, Any]]]:
    """The volumes on storages that only this host sees, with the storage's definition."""
    for each in used(guest):
        if ":" in each.volume and not each.volume.startswith("/"):
            config = storage_config(guest.lab, each.volume.partition(":")[0])
            if not is_shared(config):
                yield each, config


def _fault(guest: Guest, each: Used, *, with_local_disks: bool) -> str | None:
    volume, cdrom = each.volume, each.drive.get("media") == "cdrom"
    if volume.startswith("/"):
        return None if each.drive.get("shared") else "local file/device"
    if volume in ("cdrom", "none"):
        return "can't migrate local cdrom drive" if volume == "cdrom" else None
    config = storage_config(guest.lab, volume.partition(":")[0])
    if is_shared(config) or drives.is_cloud_init(each.drive):
        return None
    if cdrom:
        return "local cdrom image"
    row = volumes(guest.lab).get(volume, guest.node)
    if guest.snapshots and not each.key.startswith("unused"):
        if guest.running:
            return "online storage migration not possible if non-replicated snapshot exists"
        if row is not None and not _keeps_snapshots(config, row["format"]):
            return "non-migratable snapshot exists"
    if row is not None and volumes(guest.lab).clones(row):
        return "referenced by linked clone(s)"
    return _ONLINE if guest.running and each.attached and not with_local_disks else None


def _keeps_snapshots(config: dict[str, Any], image: str) -> bool:
    if config["type"] == "zfspool":
        return True
    if config["type"] == "btrfs" and image == "raw":
        return True
    return image == "qcow2" and not config.get("snapshot-as-volume-chain")
