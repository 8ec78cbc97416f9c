"""Services that every private network of the lab sees at the same address.

Each host has the address on its leg in each network, behind the same rules that a real host gets;
what asks there is handed on from the machine, since a host of the lab has no way out: to an
address, or to a mirror of packages that the lab runs itself. Listening ends with the lab's process
and comes back with it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import Any

from lab.network import mirror, system
from lab.network.inside import made_in
from lab.network.names import Namespaces

IDLE_S = 60.0
"""How long an answer to a datagram is waited for."""

_CHUNK = 1 << 16
_CONNECT_S = 10.0
_log = logging.getLogger(__name__)


class Services:
    """The services of a lab, as its seed lists them.

    `settings`: `rules` (text for nftables), `bridge` (of the private networks), `mac`, and
    `services`, each with `address`, `port`, `protocol`, and `to` and `toPort`; without these the
    lab's own mirror answers. Empty settings are none.
    """

    def __init__(self, names: Namespaces, settings: dict[str, Any]) -> None:
        self._names = names
        self._settings = settings
        self._ruled: dict[str, asyncio.Task[None]] = {}  # hosts whose rules are loaded, or about to
        self._mirror = mirror.Mirror(names.state / "mirror")
        self._servers: list[asyncio.Server | asyncio.DatagramTransport] = []
        self._work: set[asyncio.Task[None]] = set()

    def lacking(self) -> str | None:
        """What a service of the lab's own would need and does not have here, in a sentence."""
        own = [each for each in self._settings.get("services", []) if "to" not in each]
        return mirror.lacking() if own else None

    async def settle(self, host: str, bridge: str, link: str) -> None:
        """Rules first, then the address on a host's leg, then who listens there."""
        if not self._settings or bridge != self._settings["bridge"]:
            return
        namespace = self._names.host(host)
        if host not in self._ruled:
            load = system.nft(namespace, self._settings["rules"])
            self._ruled[host] = asyncio.create_task(load)
        await self._ruled[host]
        addresses = dict.fromkeys(each["address"] for each in self._settings["services"])
        lines = [f"link set {link} address {self._settings['mac']}"]
        lines += [f"addr replace {address}/32 dev {link}" for address in addresses]
        await system.ip_batch(namespace, lines)
        for each in self._settings["services"]:
            await self._listen(namespace, link, each)

    async def _listen(self, namespace: str, link: str, service: dict[str, Any]) -> None:
        udp = service["protocol"] == "udp"

        def bound() -> socket.socket:
            kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
            made = socket.socket(socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
            made.bind((service["address"], service["port"]))
            made.setblocking(False)
            return made

        made = await asyncio.to_thread(made_in, system.NAMESPACES / namespace, bound)
        if udp:
            target = (service["to"], service["toPort"])
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(target), sock=made
            )
            self._servers.append(transport)
        else:
            self._servers.append(await asyncio.start_server(self._handler(service), sock=made))

    def _handler(self, service: dict[str, Any]) -> Any:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._work.add(task)
                task.add_done_callback(self._work.discard)
            try:
                target = await self._target(service)
            except (system.NetworkError, OSError) as error:
                _log.error("a service of the guests' networks cannot answer: %s", error)
                writer.transport.abort()
                return
            await hand_on(reader, writer, target)

        return handle

    async def _target(self, service: dict[str, Any]) -> tuple[str, int]:
        if "to" in service:
            return service["to"], service["toPort"]
        return "127.0.0.1", await self._mirror.port()

    def close(self) -> None:
        """Listen no more, and end what goes on."""
        for server in self._servers:
            server.close()
        for task in [*self._work, *self._ruled.values()]:
            task.cancel()
        self._servers.clear()
        self._ruled.clear()
        self._mirror.close()


async def hand_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]
) -> None:
    """Carry bytes between a connection and a new one to `target`, until both ends are done; a
    target that does not answer is a connection that ends."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            there = await asyncio.open_connection(*target)
    except OSError:  # TimeoutError is one
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))
    finally:
        for each in (writer, there[1]):
            each.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class _Datagrams(asyncio.DatagramProtocol):
    """Hands datagrams on, from a socket for each that asks, and answers back."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._asking: dict[Any, asyncio.DatagramTransport] = {}
        self._pending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        for each in self._asking.values():
            each.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        task = asyncio.ensure_future(self._ask(data, address))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _ask(self, data: bytes, address: Any) -> None:
        loop = asyncio.get_running_loop()
        if address not in self._asking:
            with suppress(OSError):
                made, _ = await loop.create_datagram_endpoint(
                    lambda: _Answers(self._transport, address), remote_addr=self._target
                )
                self._asking[address] = made
                loop.call_later(IDLE_S, self._forget, address)
        if address in self._asking:
            self._asking[address].sendto(data)

    def _forget(self, address: Any) -> None:
        made = self._asking.pop(address, None)
        if made is not None:
            made.close()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, back: Any, address: Any) -> None:
        self._back, self._address = back, address

    def datagram_received(self, data: bytes, _address: Any) -> None:
        self._back.sendto(data, self._address)
