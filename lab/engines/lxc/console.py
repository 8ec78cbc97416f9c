"""Terminals of guests: /dev/console of a container, which its first process's getty is on.

LXC hands a console to one client at a time. So there is one client for a guest, as long as anybody
looks, and all who look see and type the same; Proxmox VE does it so for its containers. No login,
service or network of the guest has to work for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
import struct
import termios
import tty
from collections.abc import Callable
from typing import Any, Protocol

from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.engines.lxc.programs import ENVIRONMENT

PIECE = 1 << 16
GONE_S = 10.0
BEHIND = 256
"""Pieces that a viewer may be behind; one that does not read at all is let go of."""

_TERMINALS = range(136, 144)  # majors of pseudo-terminals
# The client ends by the end of its input; who waits for it must not be hung up on before.
_PATIENT = 'trap "" HUP; exec "$@"'


class Consoles:
    """The consoles of one lab's guests that somebody looks at."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._shared: dict[int, _Shared] = {}
        self._opening = asyncio.Lock()

    async def open(self, container: Container, lxcpath: str) -> View:
        """Look at the console of a guest that runs."""
        vmid = container.vmid
        async with self._opening:
            shared = self._shared.get(vmid)
            if shared is None or shared.over:
                name = ("-P", lxcpath, "-n", str(vmid))
                client = self._holder.inside("lxc-console", *name, "-t", "0", "-e", "-1")
                shared = await _Shared.start(client, lambda: self._shared.pop(vmid, None))
                self._shared[vmid] = shared
            return shared.view(lambda *size: set_size(container.root, *size))

    def close(self) -> None:
        """Let go of all."""
        for shared in list(self._shared.values()):
            shared.end()


class _Shared:
    """One client of a console, on a terminal of our own, and those who look at it."""

    def __init__(self, process: asyncio.subprocess.Process, master: int, ended: Callable[[], Any]):
        self._process, self._master, self._ended = process, master, ended
        self._views: set[View] = set()
        self.over = False
        self._writing, self._room = asyncio.Lock(), asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._readable)

    @classmethod
    async def start(cls, client: list[str], ended: Callable[[], Any]) -> _Shared:
        """Start the client; it ends when our side of its terminal is closed, however that is."""
        master, slave = os.openpty()
        try:
            os.set_blocking(master, False)
            tty.setraw(slave)  # keys and lines are the guest's terminal's business
            process = await asyncio.create_subprocess_exec(
                "setsid", "--ctty", "sh", "-c", _PATIENT, "sh", *client,
                stdin=slave, stdout=slave, stderr=slave,
                env={**ENVIRONMENT, "TERM": "xterm-256color"},
            )  # fmt: skip
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        return cls(process, master, ended)

    def view(self, resize: Callable[[int, int], None]) -> View:
        view = View(self, resize)
        self._views.add(view)
        return view

    def leave(self, view: View) -> None:
        self._views.discard(view)
        if not self._views:
            self.end()

    def _readable(self) -> None:
        try:
            piece = os.read(self._master, PIECE)
        except BlockingIOError:
            return
        except OSError:  # the client has ended: its side of the terminal is closed
            piece = b""
        for view in list(self._views):
            view.show(piece)
        if not piece:
            self.end()

    async def write(self, data: bytes) -> None:
        """Keys in the order in which they come; a terminal that is full is waited for."""
        async with self._writing:
            while data and not self.over:
                try:
                    data = data[os.write(self._master, data) :]
                except BlockingIOError:
                    await self._writable()
                except OSError:
                    return

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        self._room.clear()
        loop.add_writer(self._master, self._room.set)
        try:
            await self._room.wait()
        finally:
            if not self.over:
                loop.remove_writer(self._master)

    def end(self) -> None:
        if self.over:
            return
        self.over = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._master)  # which hangs up on the client
        self._room.set()
        loop.call_later(GONE_S, self._kill)
        for view in self._views:
            view.show(b"")
        self._views.clear()
        self._ended()

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def set_size(root: str, columns: int, rows: int) -> None:
    """Give /dev/console below a guest's root folder a size; nothing when that is no terminal."""
    size = struct.pack("HHHH", min(rows, 0xFFFF), min(columns, 0xFFFF), 0, 0)
    with contextlib.suppress(OSError):
        found = os.open(os.path.join(root, "dev/console"), os.O_PATH | os.O_NOFOLLOW)
        try:
            status = os.fstat(found)
            # A participant may have put another device there; that one is not opened.
            if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) not in _TERMINALS:
                return
            terminal = os.open(f"/proc/self/fd/{found}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
            finally:
                os.close(terminal)
        finally:
            os.close(found)


class Shared(Protocol):
    """A terminal that several look at."""

    async def write(self, data: bytes) -> None:
        """Keys that one of them pressed."""

    def leave(self, view: View) -> None:
        """One of them looks no more."""


class View:
    """A `Console`: one who looks."""

    def __init__(self, shared: Shared, resize: Callable[[int, int], None]) -> None:
        self._shared, self._resize = shared, resize
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def show(self, piece: bytes) -> None:
        """What is to be read next."""
        if self._pieces.qsize() < BEHIND or not piece:
            self._pieces.put_nowait(piece)
        else:
            self._shared.leave(self)
            self._pieces.put_nowait(b"")

    async def read(self) -> bytes:
        """What the guest shows next; empty when its console has ended."""
        return await self._pieces.get()

    async def write(self, data: bytes, /) -> None:
        """Keys that were pressed."""
        await self._shared.write(data)

    def resize(self, columns: int, rows: int, /) -> None:
        """The size of the window of who looked last at it."""
        self._resize(columns, rows)

    def close(self) -> None:
        """Look no more."""
        self._shared.leave(self)
