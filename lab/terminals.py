"""Terminals over WebSockets: what stands behind the port and the ticket of `termproxy`.

A client has ten seconds to come. Its first line is `user:ticket`; it is answered `OK`, and from
then on the stream from the guest is what it shows, the one to it is that of `lab.terminal_frames`.
A guest that has no terminal says so on it and ends. The task goes on as long as the client looks.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from lab.engines.base import Console
from lab.errors import ApiError, TaskError, failure
from lab.terminal_frames import Frames, Size

if TYPE_CHECKING:
    from lab.tasks import TaskLog

COME_S = 10.0
CLOSE_S = 2.0  # what a client gets to say goodbye
LONGEST_LINE = 4096
LARGEST_MESSAGE = 128 * 1024
_FAILED = (
    "command '/usr/bin/termproxy {port} --path {path} --perm VM.Console --vncticket-endpoint "
    "--verify-port -- {command}' failed: exit code 1"
)
Open = Callable[[], Awaitable[Console]]


class Terminal:
    """One terminal from its ticket to its end; `open_console` is called when its client has come.

    `command` is what Proxmox VE would run behind it, `greeting` what that would say first.
    """

    def __init__(
        self, *, port: int, path: str, user: str, ticket: str, command: str, greeting: str,
        open_console: Open,
    ) -> None:  # fmt: skip
        self.port = port
        self._line = f"{user}:{ticket}".encode()
        self._open, self._greeting = open_console, greeting
        self._failed = _FAILED.format(port=port, path=path, command=command)
        self._come, self._over = asyncio.Event(), asyncio.Event()
        self._problem = ""
        self._socket: web.WebSocketResponse | None = None

    async def work(self, log: TaskLog) -> None:
        """The task: as long as the terminal is there."""
        try:
            try:
                await asyncio.wait_for(self._come.wait(), COME_S)
            except TimeoutError:
                log("failed waiting for client: timed out")
                raise TaskError(self._failed) from None
            log(f"client connection: 127.0.0.1:{self.port}")
            await self._over.wait()
            if self._problem:
                log(self._problem)
                raise TaskError(self._failed)
        finally:
            await self.end()

    async def end(self) -> None:
        """End it for its client too."""
        self._over.set()
        if self._socket is not None:
            with suppress(ConnectionError):
                await self._socket.close()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the client's request: the socket until it is closed."""
        wanted = request.headers.get("Upgrade", "").lower()
        if wanted != "websocket":
            raise failure(f"unable to upgrade to protocol '{wanted}'")
        if self._come.is_set():  # there is one client for each
            raise failure(f"connect to 'localhost:{self.port}' failed: Connection refused")
        self._come.set()
        asked = request.headers.get("Sec-WebSocket-Protocol", "")
        socket = web.WebSocketResponse(
            protocols=[word.strip() for word in asked.split(",") if word.strip()],
            max_msg_size=LARGEST_MESSAGE,
            timeout=CLOSE_S,
        )
        await socket.prepare(request)
        self._socket = socket
        try:
            rest = await asyncio.wait_for(self._first_line(socket), COME_S)
            if rest is None:
                self._problem = "authentication request failed"
            else:
                await socket.send_bytes(b"OK")
                await self._look(socket, rest)
        except TimeoutError:
            self._problem = "failed reading ticket: timed out"
        except ConnectionError:
            pass  # the client has gone
        finally:
            await self.end()
        return socket

    async def _first_line(self, socket: web.WebSocketResponse) -> bytes | None:
        """What came after the client's first line; None unless that is the one with the ticket."""
        got = b""
        while b"\n" not in got and len(got) <= LONGEST_LINE:
            piece = await _received(socket)
            if piece is None:
                return None
            got += piece
        line, _, rest = got.partition(b"\n")
        return rest if hmac.compare_digest(line, self._line) else None

    async def _look(self, socket: web.WebSocketResponse, rest: bytes) -> None:
        try:
            console = await self._open()
        except (TaskError, ApiError) as error:
            await socket.send_bytes(f"{str(error).strip()}\r\n".encode())
            self._problem = str(error).strip()
            return
        shows = asyncio.create_task(self._show(socket, console))
        types = asyncio.create_task(_type(socket, console, rest))
        try:
            await asyncio.wait([shows, types], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (shows, types):
                each.cancel()
            await asyncio.gather(shows, types, return_exceptions=True)
            console.close()

    async def _show(self, socket: web.WebSocketResponse, console: Console) -> None:
        if self._greeting:
            await socket.send_bytes(f"{self._greeting}\r\n".encode())
        while piece := await console.read():
            await socket.send_bytes(piece)
        self._problem = "the terminal has ended"


async def _type(socket: web.WebSocketResponse, console: Console, rest: bytes) -> None:
    """Hand the client's keys on until it goes."""
    frames, piece = Frames(), rest
    while piece is not None:
        for each in frames.feed(piece):
            if isinstance(each, Size):
                console.resize(each.columns, each.rows)
            else:
                await console.write(each)
        received = await _received(socket)
        if received is None:
            return
        piece = received


async def _received(socket: web.WebSocketResponse) -> bytes | None:
    """The next message's content; None when there will be none."""
    message = await socket.receive()
    if message.type is WSMsgType.BINARY:
        return bytes(message.data)
    if message.type is WSMsgType.TEXT:
        return str(message.data).encode()
    return None


class Terminals:
    """Terminals that are not over; the latest one behind each port."""

    def __init__(self) -> None:
        self._known: dict[int, Terminal] = {}
        self._all: set[Terminal] = set()

    async def work(self, terminal: Terminal, log: TaskLog) -> None:
        """The task of a terminal, which a client can find meanwhile."""
        self._known[terminal.port] = terminal
        self._all.add(terminal)
        try:
            await terminal.work(log)
        finally:
            self._all.discard(terminal)
            if self._known.get(terminal.port) is terminal:
                del self._known[terminal.port]

    def find(self, port: int) -> Terminal | None:
        """The terminal behind a port."""
        return self._known.get(port)

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(each.end() for each in self._all))
