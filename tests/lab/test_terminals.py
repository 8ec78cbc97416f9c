"""Terminals on the wire: what a browser's terminal would send, and what comes back."""

from __future__ import annotations

import asyncio
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.engines.none import NoEngine
from tests.lab.lxc.conftest import TEMPLATE, seed
from tests.lab.served import Client, ServedLab

WAIT_S = 60
Work = Callable[[aiohttp.ClientWebSocketResponse], Awaitable[Any]]


class Echo:
    """A guest's terminal that shows what is typed, in capitals, and ends at `bye`."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.typed = b""
        self.closed = False
        self._shown: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return await self._shown.get()

    async def write(self, data: bytes, /) -> None:
        self.typed += data
        self._shown.put_nowait(b"" if b"bye" in data else data.upper())

    def resize(self, columns: int, rows: int, /) -> None:
        self.sizes.append((columns, rows))
        self._shown.put_nowait(b"%d x %d" % (columns, rows))

    def close(self) -> None:
        self.closed = True


class Talking(NoEngine):
    """An engine whose guests have a terminal."""

    name = "talking"

    def __init__(self) -> None:
        self.ports: list[str] = []
        self.opened: list[Echo] = []

    async def console(self, _guest: Any, port: str, /) -> Echo:
        self.ports.append(port)
        self.opened.append(Echo())
        return self.opened[-1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedLab]:
    lab = ServedLab(tmp_path, seed())
    try:
        made = lab.call(
            "POST", "nodes/pve1/qemu", vmid=100, name="g", serial0="socket", vga="serial0"
        )
        lab.finish(made.ok())
        lab.finish(lab.call("POST", "nodes/pve1/qemu/100/status/start").ok())
        yield lab
    finally:
        lab.close()


@pytest.fixture
def talking(served: ServedLab) -> Talking:
    engine = Talking()
    served.lab.engine = engine
    return engine


def joined(
    served: ServedLab, shown: dict[str, Any], work: Work, *, client: Client | None = None
) -> Any:
    """What `work` returns, on the socket behind a ticket."""
    query = urllib.parse.urlencode({"port": shown["port"], "vncticket": shown["ticket"]})
    kind = shown.get("kind", "qemu/100")
    url = f"https://127.0.0.1:{served.server.port}/api2/json/nodes/pve1/{kind}/vncwebsocket"
    trust = ssl.create_default_context(cafile=str(served.state / "ca.pem"))
    headers = (client or served.client).headers

    async def run() -> Any:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{url}?{query}", protocols=("binary",), ssl=trust) as socket,
        ):
            assert socket.protocol == "binary"
            return await asyncio.wait_for(work(socket), WAIT_S)

    return asyncio.run(run())


def asked(served: ServedLab, **params: str) -> dict[str, Any]:
    found: dict[str, Any] = served.call("POST", "nodes/pve1/qemu/100/termproxy", **params).ok()
    return found


async def until(socket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> bytes:
    """All that comes until it ends as wanted, or until the socket is closed."""
    got = b""
    async for message in socket:
        got += message.data
        if wanted and got.endswith(wanted):
            break
    return got


def signed_in(shown: dict[str, Any]) -> bytes:
    return f"{shown['user']}:{shown['ticket']}\n".encode()


def test_keys_go_in_and_what_the_guest_shows_comes_out(served: ServedLab, talking: Talking) -> None:
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        await until(socket, b"on interface serial0\r\n")
        await socket.send_str("1:132:43:")
        seen = await until(socket, b"132 x 43")
        await socket.send_str("20:5:hello")
        return seen + await until(socket, b"HELLO")

    assert joined(served, shown, work) == b"132 x 43HELLO"
    task = served.finish(shown["upid"])
    assert task["status"] == "OK"
    assert talking.ports == ["serial0"]
    assert talking.opened[0].sizes == [(132, 43)]
    assert talking.opened[0].closed


def test_the_first_answer_is_ok(served: ServedLab, talking: Talking) -> None:
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> Any:
        line = signed_in(shown)
        await socket.send_bytes(line[:20])
        await socket.send_bytes(line[20:] + b"0:1:x")  # keys that come with it are not lost
        first = await socket.receive_bytes()
        return first, await until(socket, b"X")

    first, rest = joined(served, shown, work)
    assert first == b"OK"
    assert rest == b"starting serial terminal on interface serial0\r\nX"


def test_a_terminal_that_ends_closes_the_socket(served: ServedLab, talking: Talking) -> None:
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown) + b"0:3:bye")
        return await until(socket, b"")

    assert joined(served, shown, work).startswith(b"OK")
    assert "failed: exit code 1" in served.finish(shown["upid"])["status"]


def test_another_ticket_in_the_first_line_is_not_answered(
    served: ServedLab, talking: Talking
) -> None:
    shown, other = asked(served), asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(other))
        return await until(socket, b"")

    assert joined(served, shown, work) == b""
    task = served.finish(shown["upid"])
    assert "authentication request failed" in "\n".join(task["log"])
    assert talking.ports == []


def test_a_guest_without_a_console_says_so_and_ends(served: ServedLab) -> None:
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        return await until(socket, b"")

    assert joined(served, shown, work) == (
        b"OKthis lab's guests have no console: nothing runs in them (engine: none)\r\n"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"serial0": "/dev/ttyS1"}, b"wrong serial type on interface 'serial0'"),
        ({"delete": "serial0"}, b"serial interface 'serial0' is not configured"),
        ({"delete": "serial0,vga"}, b"unable to find a serial interface"),
    ],
)
def test_a_port_that_is_no_socket_is_refused_as_by_qm(
    served: ServedLab, talking: Talking, change: dict[str, str], text: bytes
) -> None:
    served.finish(served.call("POST", "nodes/pve1/qemu/100/status/stop").ok())
    served.ticket_client().call("PUT", "nodes/pve1/qemu/100/config", **change).ok()
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        return await until(socket, b"")

    assert text in joined(served, shown, work)


def test_a_guest_that_is_off_has_no_terminal(served: ServedLab, talking: Talking) -> None:
    served.finish(served.call("POST", "nodes/pve1/qemu/100/status/stop").ok())
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        return await until(socket, b"")

    assert joined(served, shown, work) == b"OKVM 100 not running\r\n"


def test_a_container_of_the_api_has_nothing_to_show(served: ServedLab) -> None:
    made = served.call(
        "POST", "nodes/pve1/lxc", vmid=200, ostemplate=TEMPLATE, rootfs="thin:1", memory=64
    )
    assert served.finish(made.ok())["status"] == "OK"
    shown = served.call("POST", "nodes/pve1/lxc/200/termproxy").ok() | {"kind": "lxc/200"}

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        return await until(socket, b"")

    assert b"CT 200 has no console" in joined(served, shown, work)


def test_a_ticket_of_another_user_is_refused(served: ServedLab) -> None:
    shown = asked(served)

    async def work(_socket: aiohttp.ClientWebSocketResponse) -> None:
        raise AssertionError("let in")

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        joined(served, shown, work, client=served.ticket_client())
    assert refused.value.status == 401


def test_a_second_client_finds_nobody(served: ServedLab, talking: Talking) -> None:
    shown = asked(served)

    async def second(_socket: aiohttp.ClientWebSocketResponse) -> None:
        raise AssertionError("let in")

    async def work(socket: aiohttp.ClientWebSocketResponse) -> int:
        await socket.send_bytes(signed_in(shown))
        await socket.receive_bytes()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await asyncio.to_thread(joined, served, shown, second)
        return refused.value.status

    assert joined(served, shown, work) == 500


def test_without_a_wish_for_a_socket_the_port_is_told(served: ServedLab) -> None:
    shown = asked(served)
    params = {"port": shown["port"], "vncticket": shown["ticket"]}
    answer = served.call("GET", "nodes/pve1/qemu/100/vncwebsocket", **params)
    assert answer.ok() == {"port": shown["port"]}


def test_the_lab_ends_although_somebody_looks(served: ServedLab, talking: Talking) -> None:
    shown = asked(served)

    async def work(socket: aiohttp.ClientWebSocketResponse) -> bytes:
        await socket.send_bytes(signed_in(shown))
        await until(socket, b"serial0\r\n")
        stopped = asyncio.create_task(asyncio.to_thread(served.stop))
        rest = await until(socket, b"")
        await stopped
        return rest

    try:
        assert joined(served, shown, work) == b""
    finally:
        served.start()
