"""The engine that runs nothing: a started guest is `running` at once and does no work.

A guest answers a shutdown when there is something on its disks that could; empty ones sit in
their firmware until the power is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from lab.engines.base import Console, Disk, Figures, Log
from lab.errors import TaskError
from lab.guests.drives import drive_keys, is_cdrom, parse_drive
from lab.guests.nets import is_net
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.guests.record import Guest


class NoEngine:
    """Keeps a status and no more."""

    name = "none"

    async def start(self, guest: Guest, log: Log) -> None:
        """Nothing boots."""

    async def shutdown(self, guest: Guest, timeout_s: float, _log: Log) -> bool:
        """At once with an image on a disk, else never."""
        if _has_system(guest):
            return True
        await asyncio.sleep(timeout_s)
        return False

    async def stop(self, guest: Guest, log: Log) -> None:
        """Nothing runs."""

    async def reset(self, guest: Guest) -> None:
        """Nothing runs."""

    async def pause(self, guest: Guest) -> None:
        """Nothing runs."""

    async def resume(self, guest: Guest) -> None:
        """Nothing runs."""

    async def reconfigure(self, guest: Guest, changed: frozenset[str]) -> None:
        """The row is all there is."""

    async def migrate(self, guest: Guest, target: str, log: Log) -> None:
        """The row is all there is."""

    async def clone(
        self, source: Guest, vmid: int, snapshot: str | None, /, *, linked: bool
    ) -> None:
        """The row is all there is."""

    async def fill(self, guest: Guest) -> None:
        """The row is all there is."""

    async def resize(self, _guest: Guest, _key: str, _size: int) -> None:
        """The row is all there is."""

    async def destroy(self, guest: Guest) -> None:
        """The row is all there is."""

    async def snapshot(self, guest: Guest, name: str, with_memory: bool) -> None:
        """The row is all there is."""

    async def drop_snapshot(self, guest: Guest, name: str) -> None:
        """The row is all there is."""

    async def roll_back(self, guest: Guest, name: str) -> None:
        """The row is all there is."""

    async def agent(self, _guest: Guest, _command: str, _arguments: dict[str, Any]) -> Any:
        """No agent runs in a guest that does not run."""
        return None

    async def console(self, _guest: Guest, _port: str, /) -> Console:
        """Nothing runs that could show something."""
        raise TaskError("this lab's guests have no console: nothing runs in them (engine: none)")

    def disk(self, _guest: Guest, /) -> AbstractAsyncContextManager[Disk]:
        """A disk is an entry without content."""
        raise TaskError("this lab's guests have no files: their disks are entries (engine: none)")

    def figures(self, vmid: int, config: dict[str, Any]) -> Figures:
        """No use of anything; the network devices are there."""
        return Figures(nics={f"tap{vmid}i{key[3:]}": (0, 0) for key in config if is_net(key)})

    async def close(self) -> None:
        """Nothing runs."""

    async def reconcile(self, guests: Iterable[Guest]) -> frozenset[int]:
        """A status is as good after a restart as before."""
        return frozenset(guest.vmid for guest in guests)


def _has_system(guest: Guest) -> bool:
    rows = volumes(guest.lab)
    for key in drive_keys(guest.config):
        drive = parse_drive(key, guest.config[key])
        if is_cdrom(drive):
            continue
        row = rows.get(drive["file"], guest.node)
        if row and row["filled"]:
            return True
    return False
