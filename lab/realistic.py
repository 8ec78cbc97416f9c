"""Proxmox VE's limits: workers of a host, waits for locks, the time of a clone, silent hosts.

The plain lab has none of the limits on load, so that it is quick; `--realistic` turns them on.
How long a lost host or a held lock is waited for applies to both, when a fault asks for it. All of
these times are multiplied by `clock`: 0.1 lets a test see a wait of ten seconds in one.

Sources: pve-common PVE/Tools.pm (10 s for a lock), qemu-server PVE/API2/Qemu.pm `clone_vm` (1 s
for source and target), pve-cluster PVE/Cluster.pm (directory lock, tried again after 1 s and at
last after 0.1 s), pve-manager PVE/Service/*.pm (3 workers each for pveproxy and pvedaemon); 30 s
and 3 s for a host whose link is down were seen on a three-node cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

CLONE_S = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a lab's cluster waits; times in seconds of the cluster, before `clock`.

    - `workers`: API calls that one service of a host works on at once; None for no limit
    - `bounded`: whether waiting for a lock ends; without, only locks that a fault holds do that
    - `clone_s`: how long making one disk of a clone holds its storage's lock
    - `retry_s`: first pause between two tries for a lock of the whole cluster, which get shorter
      with the time that is left; 0 waits in a queue
    """

    workers: int | None = None
    bounded: bool = False
    clone_s: float = 0.0
    retry_s: float = 0.0
    lock_wait_s: float = 10.0
    clone_wait_s: float = 1.0
    quorum_wait_s: float = 10.0
    silent_first_s: float = 30.0
    silent_next_s: float = 3.0
    filesystem_first_s: float = 20.0
    filesystem_next_s: float = 3.0
    status_round_s: float = 10.0
    clock: float = 1.0

    def scaled(self, seconds: float) -> float:
        """Seconds of the cluster as seconds of the wall clock."""
        return seconds * self.clock

    async def pass_time(self, seconds: float) -> None:
        """Wait for some seconds of the cluster."""
        if seconds > 0:
            await asyncio.sleep(self.scaled(seconds))


def limits(*, realistic: bool, clone_s: float | None = None, clock: float = 1.0) -> Limits:
    """Proxmox VE's limits, or none on load; `clone_s` is CLONE_S when realistic, else 0."""
    if not realistic:
        return Limits(clone_s=clone_s or 0.0, clock=clock)
    spent = CLONE_S if clone_s is None else clone_s
    return Limits(workers=3, bounded=True, clone_s=spent, retry_s=1.0, clock=clock)


class Workers:
    """The processes of each host that work on calls: `pveproxy` for most reads, `pvedaemon` for
    what is described as protected. Calls beyond their number wait, without a limit."""

    def __init__(self, limits: Limits) -> None:
        self._number = limits.workers
        self._free: dict[tuple[str, bool], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def at_work(self, host: str, *, protected: bool) -> AsyncIterator[None]:
        """One worker of a host's service, as long as the call takes."""
        if self._number is None:
            yield
            return
        key = (host, protected)
        free = self._free.get(key)
        if free is None:
            free = self._free[key] = asyncio.Semaphore(self._number)
        async with free:
            yield
