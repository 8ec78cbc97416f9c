"""Doors: a port of loopback for each guest of a lab, from which one comes to the guest's SSH.

So programs that know nothing of labs reach guests without a process for each connection, which
would cost them more than what is measured.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.processes import BenchError
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.network.inside import made_in

SSH = 22
PIECE = 1 << 16


@contextmanager
def doors(state: Path, vmids: Iterable[int]) -> Iterator[dict[int, int]]:
    """Ports by VMID, of guests of the lab with this state folder; closed at the end."""
    holder = Holder(state / "guests")
    if not holder.adopt():
        raise BenchError("no guest of the lab runs")
    inits = {vmid: Container(holder, vmid).init for vmid in vmids}
    if off := [vmid for vmid, init in inits.items() if init is None]:
        raise BenchError(f"{len(off)} guests do not run, such as {off[0]}")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = {
        vmid: asyncio.run_coroutine_threadsafe(_open(Path(f"/proc/{init}/ns/net")), loop).result()
        for vmid, init in inits.items()
    }
    try:
        yield {vmid: server.sockets[0].getsockname()[1] for vmid, server in opened.items()}
    finally:
        asyncio.run_coroutine_threadsafe(_close(opened.values()), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(servers: Iterable[asyncio.Server]) -> None:
    """End the doors, and whoever is still in one."""
    for server in servers:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _open(network: Path) -> asyncio.Server:
    def made() -> socket.socket:
        return socket.create_connection(("127.0.0.1", SSH), 60)

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.to_thread(made_in, network, made)
        except OSError:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=there)
        with suppress(asyncio.CancelledError):  # the doors are closed
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    return await asyncio.start_server(come, "127.0.0.1", 0, backlog=1000)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError):
        writer.close()
