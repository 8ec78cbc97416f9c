"""Volumes that are to be copies of others: made while the source is as it was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.engines.lxc.programs import run
from lab.engines.qemu import states
from lab.engines.qemu.disks import Disks
from lab.engines.qemu.monitor import Monitor
from lab.errors import TaskError
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.guests.record import Guest


def _empty(guest: Guest, vmid: int) -> list[Row]:
    """The volumes of a guest that have no file yet."""
    rows = volumes(guest.lab).of_guest(vmid, guest.node)
    return [row for row in rows if not row.get("file")]


def _waiting(guest: Guest, vmid: int) -> list[Row]:
    """Those that are copies of other volumes."""
    return [row for row in _empty(guest, vmid) if row.get("copy_of")]


class Copies:
    """Makes the copies of one lab."""

    def __init__(self, disks: Disks) -> None:
        self._disks = disks

    async def fill(self, guest: Guest) -> None:
        """The copies among a guest's volumes, of uploaded images too; not of disks that its own
        machine has open."""
        own = {volid for _, volid in guest.disks(guest.config)}
        for row in _empty(guest, guest.vmid):
            if guest.running and row.get("copy_of") in own:
                raise TaskError("the lab's engine qemu copies a guest's own disks while it is off")
            await self._disks.fill(guest.lab, row["volid"], guest.node)

    async def of_clone(
        self, source: Guest, vmid: int, snapshot: str | None, monitor: Monitor | None
    ) -> None:
        """The copies for a clone, of the present or of a snapshot."""
        lab, node = source.lab, source.node
        rows = volumes(lab)
        config = source.snapshot(snapshot) if snapshot else source.config
        keys = {volid: key for key, volid in source.disks(config)}
        live: dict[str, tuple[str, Path]] = {}
        for row in _waiting(source, vmid):
            origin = rows.get(row["copy_of"], node)
            there = self._disks.kept(origin) if origin else None
            if there is None or (snapshot is None and monitor is None):
                await self._disks.fill(lab, row["volid"], node)
                continue
            target = self._disks.spare(row)
            if snapshot is None:
                await run("qemu-img", "create", "-q", "-f", "qcow2", str(target), str(row["size"]))
                live[keys[row["copy_of"]]] = row["volid"], target
                continue
            await run(
                "qemu-img", "convert", "-U", "-l", f"snapshot.name={snapshot}", "-O", "qcow2",
                str(there), str(target),
            )  # fmt: skip
            await self._disks.take(lab, row["volid"], node, target)
        if live and monitor is not None:
            await states.copy_running(monitor, {key: file for key, (_, file) in live.items()})
            for volid, target in live.values():
                await self._disks.take(lab, volid, node, target)
