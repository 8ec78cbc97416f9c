"""Short locks inside the process: one per guest and one per storage."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Locks:
    """Locks by name, made when asked for and gone when nobody holds or awaits them.

    Use as `async with lab.locks.guest(vmid):`.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def guest(self, vmid: int | str) -> asyncio.Lock:
        """The lock of a guest's configuration."""
        return self._named(f"guest/{vmid}")

    def storage(self, storage: str) -> asyncio.Lock:
        """The lock under which volumes of a storage get their names."""
        return self._named(f"storage/{storage}")

    def _named(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock
