"""The firewall's log: notes of packets that the kernel sends, kept as lines as Proxmox VE writes
them: `VMID LEVEL CHAIN TIME TEXT PACKET`.

One netlink socket for each host's namespace.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from lab.firewall.card import GROUP
from lab.firewall.packet_text import packet_text
from lab.network.inside import made_in

KEPT = 50_000
"""Lines that a host's log keeps."""

_NETFILTER = 12
_LOG = 4 << 8  # NFNL_SUBSYS_ULOG
_CONFIG = _LOG | 1
_FORCED_BUFFER = 33  # SO_RCVBUFFORCE
_ROOM = 4 << 20
_PAYLOAD, _PREFIX, _HEADER = 9, 10, 16


class Journal:
    """The log of every host, in memory and in a file for each host, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, deque[str]] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._opening = asyncio.Lock()

    def lines(self, host: str) -> list[str]:
        """All lines of a host, oldest first."""
        return list(self._of(host))

    def _of(self, host: str) -> deque[str]:
        if host not in self._lines:
            path = self._path(host)
            old = path.read_text(errors="replace").splitlines() if path.is_file() else []
            self._lines[host] = deque(old, maxlen=KEPT)
        return self._lines[host]

    def _path(self, host: str) -> Path:
        return self._folder / f"{host}.log"

    async def listen(self, host: str, namespace: Path) -> None:
        """Take in the notes of a host from now on."""
        # One at a time: the kernel tells its notes to the first socket only, which has to be kept.
        async with self._opening:
            if host in self._sockets:
                return
            listening = await asyncio.to_thread(_socket_in, namespace)
            self._sockets[host] = listening
            asyncio.get_running_loop().add_reader(listening.fileno(), self._read, host)

    def _read(self, host: str) -> None:
        listening, new = self._sockets[host], []
        while True:
            try:
                data = listening.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                continue  # more came than there was room for: those are lost
            new += list(_notes(data))
        if new:
            known = self._of(host)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self._path(host), "a", opener=_private) as file:
                file.writelines(f"{line}\n" for line in new)
            known.extend(new)  # what is shown is in the file

    def close(self) -> None:
        """Stop listening."""
        for listening in self._sockets.values():
            asyncio.get_running_loop().remove_reader(listening.fileno())
            listening.close()
        self._sockets.clear()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _socket_in(namespace: Path) -> socket.socket:
    """A socket in another namespace that is told of the group's notes."""
    made = made_in(namespace, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER))
    try:
        made.setsockopt(socket.SOL_SOCKET, _FORCED_BUFFER, _ROOM)
    except PermissionError:  # of a user: as much as everybody may have
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    made.bind((0, 0))
    for attribute in (
        _attribute(1, struct.pack("!B", 1)),  # this group
        _attribute(2, struct.pack("!IBx", 256, 2)),  # with the packet's first bytes
        _attribute(5, struct.pack("!I", 1)),  # each at once
    ):
        body = struct.pack("!BBH", 0, 0, GROUP) + attribute
        made.send(struct.pack("=IHHII", 16 + len(body), _CONFIG, 1, 0, 0) + body)
    made.setblocking(False)
    return made


def _attribute(kind: int, value: bytes) -> bytes:
    padded = value + b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + padded


def _notes(data: bytes) -> Iterator[str]:
    """Lines of what one read brought."""
    place = 0
    while place + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, place)
        if length < 16:
            return
        if kind == _LOG:
            line = _line(dict(_attributes(data[place + 20 : place + length])))
            if line:
                yield line
        place += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        if length < 4:
            return
        yield kind & 0x3FFF, data[place + 4 : place + length]
        place += (length + 3) & ~3


def _line(values: dict[int, bytes]) -> str | None:
    """One line of the log; None for a note that is not the firewall's."""
    prefix = values.get(_PREFIX, b"").rstrip(b"\0").decode(errors="replace")
    parts = prefix.split(":", 4)
    if len(parts) != 5 or parts[0]:
        return None
    _, vmid, level, chain, text = parts
    when = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    packet = packet_text(values.get(_HEADER, b""), values.get(_PAYLOAD, b""))
    return f"{vmid} {level} {chain} {when} {text.strip().rstrip(':')}: {packet}"
