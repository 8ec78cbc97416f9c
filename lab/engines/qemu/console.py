"""Terminals of guests: the serial port of a machine, which its system's getty is on.

QEMU hands a port to one client at a time. So there is one client for a guest, as long as anybody
looks, and all who look see and type the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lab.engines.lxc.console import PIECE, View
from lab.errors import TaskError

JOIN_S = 10.0


class Consoles:
    """The serial ports of one lab's guests that somebody looks at."""

    def __init__(self) -> None:
        self._shared: dict[str, _Shared] = {}
        self._opening = asyncio.Lock()

    async def open(self, path: str) -> View:
        """Look at the port behind a socket; `TaskError` when there is none."""
        async with self._opening:
            shared = self._shared.get(path)
            if shared is None:
                shared = await _Shared.start(path, lambda: self._shared.pop(path, None))
                self._shared[path] = shared
            return shared.view()

    def close(self) -> None:
        """Let go of all."""
        for shared in list(self._shared.values()):
            shared.end()


class _Shared:
    """One client of a port, and those who look at it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ended: Callable[[], Any]
    ) -> None:
        self._reader, self._writer, self._ended = reader, writer, ended
        self._views: set[View] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, path: str, ended: Callable[[], Any]) -> _Shared:
        """Become the port's client."""
        try:
            async with asyncio.timeout(JOIN_S):
                reader, writer = await asyncio.open_unix_connection(path)
        except (OSError, TimeoutError) as error:
            raise TaskError(f"the serial port cannot be reached: {error}") from error
        return cls(reader, writer, ended)

    def view(self) -> View:
        """One more who looks. A serial port has no size."""
        view = View(self, lambda _columns, _rows: None)
        self._views.add(view)
        return view

    def leave(self, view: View) -> None:
        """One looks no more; the last one ends it."""
        self._views.discard(view)
        if not self._views:
            self.end()

    async def _read(self) -> None:
        piece = b"-"
        while piece:
            try:
                piece = await self._reader.read(PIECE)
            except OSError:
                piece = b""
            for view in list(self._views):
                view.show(piece)
        self.end()

    async def write(self, data: bytes) -> None:
        """Keys in the order in which they come."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            return  # the machine has ended, which those who look are told by the reader

    def end(self) -> None:
        """Let go of the port."""
        self._ended()
        self._reading.cancel()
        self._writer.close()
        for view in list(self._views):
            view.show(b"")
        self._views.clear()
