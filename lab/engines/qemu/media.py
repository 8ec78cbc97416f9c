"""The media of a guest's drives: the files behind its disks, images and cloud-init data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.engines.lxc.programs import run
from lab.engines.qemu import command, seed
from lab.engines.qemu.disks import Disks
from lab.engines.qemu.drives import Medium
from lab.errors import TaskError
from lab.guests import drives
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.guests.record import Guest

_NO_DEVICE = ("tpmstate0",)


class Media:
    """The media of one lab's guests; `home` has what belongs to one start of a guest."""

    def __init__(self, disks: Disks) -> None:
        self._disks = disks

    async def all(self, guest: Guest, home: Path) -> dict[str, Medium]:
        """All media of a guest's configuration by key, made where they are not there."""
        found = {}
        for key, drive in guest.drives():
            if key not in _NO_DEVICE:
                found[key] = await self.one(guest, key, drive, home)
        if guest.config.get("bios") == "ovmf":
            if not command.FIRMWARE.exists():
                raise TaskError(
                    "start failed: the firmware of `bios: ovmf` is missing; on Debian type: "
                    "apt install ovmf"
                )
            if "efidisk0" not in found:  # as on a site, it forgets what it was told
                found["efidisk0"] = await _variables(home)
        return found

    async def one(self, guest: Guest, key: str, drive: dict[str, Any], home: Path) -> Medium:
        """The medium of one drive."""
        if drives.is_cloud_init(drive):
            target = home / "seed.iso"
            await seed.write(target, guest.config, guest.vmid)
            return Medium(file=target, form="raw", cdrom=True)
        if drives.is_cdrom(drive):
            return self._disc(guest, drive)
        template = command.VARIABLES if key == "efidisk0" else None
        return Medium(file=await self._disks.file(guest.lab, drive["file"], guest.node, template))

    def _disc(self, guest: Guest, drive: dict[str, Any]) -> Medium:
        if drive["file"] == "none":
            return Medium(file=None, cdrom=True)
        row = volumes(guest.lab).require(drive["file"], guest.node)
        kept = self._disks.kept(row)
        if kept is None:
            raise TaskError(
                f"start failed: '{drive['file']}' is an entry without a file; upload it, or take "
                "it out of the drive"
            )
        return Medium(file=kept, form="raw", cdrom=True)

    def files(self, guest: Guest, config: dict[str, Any]) -> dict[str, Path]:
        """The files that disks of a configuration have already, by key."""
        rows, found = volumes(guest.lab), {}
        for key, volid in guest.disks(config):
            row = rows.get(volid, guest.node)
            kept = self._disks.kept(row) if row else None
            if kept is not None and key not in _NO_DEVICE:
                found[key] = kept
        return found


async def _variables(home: Path) -> Medium:
    target = home / "variables.qcow2"
    target.unlink(missing_ok=True)
    await run(
        "qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(command.VARIABLES), str(target)
    )
    return Medium(file=target)


def system_disk(guest: Guest) -> str:
    """The volume of the disk that a guest starts from; `TaskError` without one."""
    keys = [key for key, _ in guest.disks(guest.config) if key not in ("efidisk0", "tpmstate0")]
    wanted = [key for key in drives.boot_order(guest.config) if key in keys] or keys
    if not wanted:
        raise TaskError(f"VM {guest.vmid} has no disk")
    return str(drives.parse_drive(wanted[0], guest.config[wanted[0]])["file"])
