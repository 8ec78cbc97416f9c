"""A load of plain reads: some connections that each ask again as soon as they are answered.

The client speaks HTTP/1.1 by itself and only counts bytes, so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import statistics
import time
from collections.abc import Callable, Mapping

from bench.processes import BenchError

CONNECTIONS = 8
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def trusting() -> ssl.SSLContext:
    """Accepts any certificate: everything measured here is on loopback and ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def request(path: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def exchange(stream: Stream, asked: bytes) -> bytes:
    """Send a request and read its answer's body; `BenchError` unless the status is 200."""
    reader, writer = stream
    writer.write(asked)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        raise BenchError(f"a read was refused: {head.splitlines()[0].decode(errors='replace')}")
    lowered = head.lower()
    at = lowered.index(b"content-length:") + len(b"content-length:")
    return await reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))


async def _open(port: int) -> Stream:
    return await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), limit=2**24)


def read_once(port: int, path: str, headers: Mapping[str, str]) -> bytes:
    """The body of one answer."""

    async def once() -> bytes:
        stream = await _open(port)
        try:
            return await exchange(stream, request(path, headers))
        finally:
            stream[1].close()

    return asyncio.run(once())


def seconds_of_a_read(
    port: int,
    path: str,
    headers: Mapping[str, str],
    count: int,
    before: Callable[[], None] | None = None,
) -> float:
    """The median over `count` answers that one kept connection asks for, one after the other;
    `before` is called before each of them, and its time is not counted."""

    async def one_by_one() -> list[float]:
        stream = await _open(port)
        asked, took = request(path, headers), []
        for _ in range(count):
            if before is not None:
                before()
            start = time.perf_counter()
            await exchange(stream, asked)
            took.append(time.perf_counter() - start)
        stream[1].close()
        return took

    return statistics.median(asyncio.run(one_by_one()))


def reads_per_second(port: int, path: str, headers: Mapping[str, str], seconds: float) -> float:
    """Answers per second over `seconds` on all connections."""

    async def one(stream: Stream, asked: bytes, end: float) -> int:
        count = 0
        while time.perf_counter() < end:
            await exchange(stream, asked)
            count += 1
        stream[1].close()
        return count

    async def load() -> float:
        streams = [await _open(port) for _ in range(CONNECTIONS)]
        start = time.perf_counter()
        asked = request(path, headers)
        counts = await asyncio.gather(*(one(each, asked, start + seconds) for each in streams))
        return sum(counts) / (time.perf_counter() - start)

    return asyncio.run(load())
