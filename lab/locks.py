"""Locks of guests and storages, with Proxmox VE's waits and texts.

A guest's lock is a file of its host; a storage's is one too, or on shared storages a folder in the
cluster's file system that is tried again and again, the sooner the longer one has waited (since
pve-cluster 9.1). Who waits in a task says so in its log.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from lab.errors import failure
from lab.realistic import Limits
from lab.tasks import TaskLog, current_log


class _Lock:
    """Held by one, or shared by several, in the order in which they came."""

    def __init__(self) -> None:
        self._sharers = 0
        self._owned = False
        self._waiting: deque[tuple[asyncio.Future[None], bool]] = deque()

    def take(self, *, shared: bool) -> bool:
        """Take the lock if it is free and nobody waits."""
        if self._waiting or not self._free(shared):
            return False
        self._grant(shared)
        return True

    def _free(self, shared: bool) -> bool:
        return not self._owned and (shared or not self._sharers)

    def _grant(self, shared: bool) -> None:
        if shared:
            self._sharers += 1
        else:
            self._owned = True

    async def wait(self, *, shared: bool) -> None:
        """Take the lock when it is this one's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, shared))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release(shared=shared)  # granted in the moment of giving up
            elif (turn, shared) in self._waiting:
                self._waiting.remove((turn, shared))
                self._serve()
            raise

    def release(self, *, shared: bool) -> None:
        """Give the lock back; whoever is next gets it at once."""
        if shared:
            self._sharers -= 1
        else:
            self._owned = False
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            turn, shared = self._waiting[0]
            if not turn.done():
                if not self._free(shared):
                    return
                self._grant(shared)
                turn.set_result(None)
            self._waiting.popleft()


@dataclass(slots=True, kw_only=True)
class Hold:
    """`async with` this holds a lock; 500 when it cannot be had in time.

    `limit_s` is None for a wait without end; with `retry_s` the lock is polled, first after that
    time, at last after a tenth of it.
    """

    lock: _Lock
    refusal: str
    notice: str
    limit_s: float | None
    retry_s: float = 0.0
    shared: bool = False
    also: Hold | None = field(default=None)  # held before this one

    async def __aenter__(self) -> Self:
        if self.also is not None:
            await self.also.__aenter__()
        try:
            await self._enter()
        except BaseException:
            if self.also is not None:
                await self.also.__aexit__(None, None, None)
            raise
        return self

    async def _enter(self) -> None:
        if self.lock.take(shared=self.shared):
            return
        log = current_log.get()
        line = _say(log, self.notice)
        try:
            if self.retry_s:
                await self._poll(log)
            else:
                await asyncio.wait_for(self.lock.wait(shared=self.shared), self.limit_s)
        except TimeoutError:
            raise failure(self.refusal) from None
        if log is not None and not self.retry_s:
            log.lines[line] += " OK"

    async def _poll(self, log: TaskLog | None) -> None:
        """Try again after a tenth of what is left, in whole seconds and at most ten of them."""
        start, second = time.monotonic(), self.retry_s
        limit = math.inf if self.limit_s is None else round(self.limit_s / second)
        slept = 0.0
        while True:
            pause = min(max(limit - int(slept), 1), 10) / 10
            then = int(slept + pause + 1e-6)
            if then >= limit:
                raise TimeoutError
            if then > int(slept) > 0:
                _say(log, self.notice)
            await asyncio.sleep(pause * second)
            if self.lock.take(shared=self.shared):
                return
            slept = (time.monotonic() - start) / second

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lock.release(shared=self.shared)
        if self.also is not None:
            await self.also.__aexit__(kind, error, trace)


def _say(log: TaskLog | None, text: str) -> int:
    """Add a line to the log of the task that waits; its place."""
    if log is None:
        return 0
    log(text)
    return len(log.lines) - 1


class Locks:
    """Locks by name, made when asked for and gone when nobody holds or awaits them.

    Use as `async with lab.locks.guest(vmid):`.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        is_container: Callable[[str], bool] = lambda _vmid: False,
    ) -> None:
        self._limits = limits or Limits()
        self._is_container = is_container
        self._locks: WeakValueDictionary[str, _Lock] = WeakValueDictionary()
        self._blocked: dict[str, list[_Lock]] = {}

    def guest(self, vmid: int | str, *, wait_s: float | None = None) -> Hold:
        """The lock of a guest's configuration; `wait_s` in place of the usual 10 s."""
        return self._guest(vmid, wait_s, shared=False)

    def clone(self, source: int | str, target: int | str, *, running: bool) -> Hold:
        """What a clone holds: its source, together with other clones unless that runs, and its
        target; a second is waited for each."""
        wait_s = self._limits.clone_wait_s
        hold = self._guest(target, wait_s, shared=False)
        hold.also = self._guest(source, wait_s, shared=not running)
        return hold

    def _guest(self, vmid: int | str, wait_s: float | None, *, shared: bool) -> Hold:
        file = f"/var/lock/qemu-server/lock-{vmid}.conf"
        if self._is_container(str(vmid)):
            file = f"/run/lock/lxc/pve-config-{vmid}.lock"
        name = f"guest/{vmid}"
        return Hold(
            lock=self._named(name),
            refusal=f"can't lock file '{file}' - got timeout",
            notice="trying to acquire lock...",
            limit_s=self._limit(name, wait_s),
            shared=shared,
        )

    def storage(self, storage: str, node: str | None = None) -> Hold:
        """The lock under which a storage's volumes are made: of a host, or with `node` None of
        the cluster, for a storage that all hosts share."""
        if node is not None:
            name = f"storage/{node}/{storage}"
            file = f"/var/lock/pve-manager/pve-storage-{storage}"
            refusal, notice = f"can't lock file '{file}' - got timeout", "trying to acquire lock..."
        else:
            name = f"storage/{storage}"
            refusal = f"cfs-lock 'storage-{storage}' error: got lock request timeout"
            notice = f"trying to acquire cfs lock 'storage-{storage}' ..."
        return Hold(
            lock=self._named(name),
            refusal=refusal,
            notice=notice,
            limit_s=self._limit(name, None),
            retry_s=self._limits.scaled(self._limits.retry_s) if node is None else 0.0,
        )

    def _limit(self, name: str, wait_s: float | None) -> float | None:
        if not self._limits.bounded and name not in self._blocked:
            return None
        return self._limits.scaled(self._limits.lock_wait_s if wait_s is None else wait_s)

    def _named(self, name: str) -> _Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = _Lock()
        return lock

    async def block(self, name: str) -> None:
        """Hold a lock for a fault, as soon as it is free: `guest/100`, `storage/shared`,
        `storage/pve01/local`."""
        lock = self._named(name)
        self._blocked.setdefault(name, [])
        if not lock.take(shared=False):
            await lock.wait(shared=False)
        self._blocked.setdefault(name, []).append(lock)

    def unblock(self, name: str) -> None:
        """Let go of what `block` holds."""
        for lock in self._blocked.pop(name, []):
            lock.release(shared=False)
