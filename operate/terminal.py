"""This terminal joined with one at a site: raw, with its size, and put back whatever happens.

The site's terminal speaks a stream over a WebSocket: first `user:ticket`, answered `OK`; then what
it shows comes as it is, and `0:LENGTH:keys`, `1:COLUMNS:ROWS:` and `2` (still here) go to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import termios
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import aiohttp

from event.problems import RunError

LEAVE = b"\x1d"  # Ctrl-]
STILL_HERE_S = 30.0
ANSWER_S = 30.0
PIECE = 1 << 14
_INPUT, _OUTPUT = 0, 1
_ENDS = (signal.SIGTERM, signal.SIGHUP)
# Modes that a program at the other end may have left on: paste, keys, cursor, colours.
_PLAIN = b"\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h\x1b[0m\r\n"


def attach(url: str, headers: Mapping[str, str], context: ssl.SSLContext, line: str) -> bool:
    """Join until Ctrl-] is pressed (True) or the site ends it (False).

    `RunError` when the site does not let us; SIGTERM and SIGHUP end it like the key.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # until somebody listens to them
    try:
        with raw():
            return asyncio.run(_Joined(url, headers, context, line).run())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def raw() -> Iterator[None]:
    """Every key goes as it is; afterwards the terminal is as it was."""
    before = termios.tcgetattr(_INPUT)
    try:
        tty.setraw(_INPUT)
        yield
    finally:
        termios.tcsetattr(_INPUT, termios.TCSANOW, before)
        termios.tcflush(_INPUT, termios.TCIFLUSH)
        with suppress(OSError):
            os.write(_OUTPUT, _PLAIN)


class _Joined:
    """One time at a site's terminal."""

    def __init__(
        self, url: str, headers: Mapping[str, str], context: ssl.SSLContext, line: str
    ) -> None:
        self._url, self._headers, self._context, self._line = url, headers, context, line
        self._left = asyncio.Event()
        self._out: asyncio.Queue[bytes] = asyncio.Queue()

    async def run(self) -> bool:
        loop = asyncio.get_running_loop()
        for number in _ENDS:
            loop.add_signal_handler(number, self._left.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_S)
        try:
            async with (
                aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session,
                session.ws_connect(
                    self._url, protocols=("binary",), ssl=self._context, max_msg_size=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                ) as socket,
            ):  # fmt: skip
                await self._sign_in(socket)
                return await self._join(socket)
        except aiohttp.WSServerHandshakeError as error:  # its own text has the ticket
            raise RunError(f"the site opens no console: it answers {error.status}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            word = type(error).__name__
            raise RunError(f"the line to the site's console broke ({word})") from None

    async def _sign_in(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_bytes(self._line.encode())
        got = b""
        while len(got) < 2:
            message = await socket.receive(ANSWER_S)
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                raise RunError(
                    "the site closed the console before it began; with an API token this needs "
                    "Proxmox VE 9 with libpve-access-control 9.0.4 or later"
                )
            got += _bytes(message)
        if not got.startswith(b"OK"):
            raise RunError("the site's console does not answer as one of Proxmox VE")
        _show(got[2:])

    async def _join(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        loop = asyncio.get_running_loop()
        loop.add_reader(_INPUT, self._pressed)
        loop.add_signal_handler(signal.SIGWINCH, self._sized)
        self._sized()
        work = [
            asyncio.create_task(each)
            for each in (self._left.wait(), self._receive(socket), self._send(socket))
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(_INPUT)
            loop.remove_signal_handler(signal.SIGWINCH)
            for each in work:
                each.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        while self._left.is_set() and not self._out.empty():  # typed before the key to leave
            await socket.send_bytes(self._out.get_nowait())
        return self._left.is_set()

    def _pressed(self) -> None:
        try:
            keys = os.read(_INPUT, PIECE)
        except OSError:  # the terminal has gone
            keys = b""
        keys, leave, _ = keys.partition(LEAVE) if keys else (b"", LEAVE, b"")
        if keys:
            self._out.put_nowait(b"0:%d:%s" % (len(keys), keys))
        if leave:
            self._left.set()

    def _sized(self) -> None:
        with suppress(OSError):
            size = os.get_terminal_size(_OUTPUT)
            self._out.put_nowait(b"1:%d:%d:" % (size.columns, size.lines))

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            try:
                piece = await asyncio.wait_for(self._out.get(), STILL_HERE_S)
            except TimeoutError:
                piece = b"2"
            await socket.send_bytes(piece)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                _show(_bytes(message))


def _bytes(message: aiohttp.WSMessage) -> bytes:
    return message.data.encode() if isinstance(message.data, str) else bytes(message.data)


def _show(data: bytes) -> None:
    while data:
        data = data[os.write(_OUTPUT, data) :]
