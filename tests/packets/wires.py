"""Plain namespaces as guests, and raw sockets in them, held by one process."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.packets.frames import tokens_in

NAMESPACES = Path("/run/netns")
_LIBC = ctypes.CDLL(None, use_errno=True)
_NET = 0x40000000  # CLONE_NEWNET
_EVERYTHING = 3  # ETH_P_ALL
_FLAGS, _RUNNING = 0x8913, 0x40  # SIOCGIFFLAGS, IFF_RUNNING
_BUFFER_FORCE = 33  # SO_RCVBUFFORCE
PATIENCE_S = 60.0


@contextmanager
def inside(namespace: str | None) -> Iterator[None]:
    """This thread in a network namespace; sockets that are made stay in it."""
    if namespace is None:
        yield
        return
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(before)
        os.close(there)
        os.close(before)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*lines: str, namespace: str | None = None) -> None:
    """Lines of `ip -batch`."""
    where = ["-n", namespace] if namespace else []
    subprocess.run(
        ["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True,
        capture_output=True,
    )  # fmt: skip


@dataclass(slots=True)
class Leg:
    """A raw socket on a link of a namespace, and the tokens that came in by it."""

    namespace: str
    link: str = "eth0"
    host_mac: str = ""  # of the bridge that the card is on
    seen: set[int] = field(default_factory=set)
    raw: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        with inside(self.namespace):
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING))
        self.raw.bind((self.link, _EVERYTHING))
        self.raw.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, 16 << 20)
        self.raw.setblocking(False)
        until = time.monotonic() + PATIENCE_S
        while not self._runs() and time.monotonic() < until:
            time.sleep(0.02)

    def _runs(self) -> bool:
        """Whether the link has seen that its other end is up; until then it drops frames."""
        asked = struct.pack("16s24x", self.link.encode())
        flags = struct.unpack_from("H", fcntl.ioctl(self.raw, _FLAGS, asked), 16)[0]
        return bool(flags & _RUNNING)

    def send(self, frame: bytes) -> None:
        """Send a frame as it is; a full queue is waited for."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.raw.send(frame)
                return
            except (BlockingIOError, OSError) as error:
                if time.monotonic() > until or not isinstance(error, BlockingIOError):
                    raise
                select.select([], [self.raw], [], 0.1)

    def drain(self) -> None:
        """Take in what has arrived."""
        while True:
            try:
                data, address = self.raw.recvfrom(4096)
            except BlockingIOError:
                return
            if address[2] != socket.PACKET_OUTGOING:
                self.seen.update(tokens_in(data))

    def close(self) -> None:
        self.raw.close()


def wait_until(done: Callable[[], bool], legs: Iterable[Leg], patience_s: float = 60.0) -> bool:
    """Take in frames until `done`; False when it never was."""
    listened = list(legs)
    until = time.monotonic() + patience_s
    poller = select.poll()
    for leg in listened:
        poller.register(leg.raw.fileno(), select.POLLIN)
    while True:
        for leg in listened:
            leg.drain()
        if done():
            return True
        if time.monotonic() > until:
            return False
        poller.poll(50)
