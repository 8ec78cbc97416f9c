"""Sees processes end that are no children of this one, by their descriptors; notes what ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.guests.record import Guest


class Watch:
    """Calls `ended` with a guest's number when the process that stands for it has ended."""

    def __init__(self, ended: Callable[[int], Awaitable[None]]) -> None:
        self._ended = ended
        self._followed: dict[int, int] = {}
        self._work: set[asyncio.Task[None]] = set()

    def follow(self, vmid: int, pid: int) -> None:
        """Watch a process for a guest, instead of what was watched for it before."""
        self.drop(vmid)
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._call(vmid)
            return
        self._followed[vmid] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._seen, vmid)

    def _seen(self, vmid: int) -> None:
        self.drop(vmid)
        self._call(vmid)

    def _call(self, vmid: int) -> None:
        async def told() -> None:
            await self._ended(vmid)

        task = asyncio.create_task(told())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def drop(self, vmid: int) -> None:
        """Watch no more for a guest."""
        descriptor = self._followed.pop(vmid, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Watch no more for anybody."""
        for vmid in list(self._followed):
            with contextlib.suppress(RuntimeError):
                self.drop(vmid)
        for task in self._work:
            task.cancel()


async def note_end(
    guest: Guest, runs: Callable[[], bool], clear: Callable[[int], Awaitable[None]]
) -> None:
    """Clear away what a guest leaves that has ended by itself, and write down that it is off.

    With its lock held: meanwhile somebody may have started or removed it.
    """
    from lab.guests.power import mark_stopped  # it reads the engines' room
    from lab.guests.record import find_row, from_row

    lab, vmid = guest.lab, guest.vmid
    async with lab.locks.guest(vmid):
        row = find_row(lab, vmid)
        if runs() or row is None:
            return
        await clear(vmid)
        if row["status"] == "running":
            mark_stopped(from_row(lab, vmid, row))
            lab.store.commit()
