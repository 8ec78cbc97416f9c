"""Sees processes end that are no children of this one, by their descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable


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
