"""A stream from standard input and output to a port of a guest that runs, as SSH's ProxyCommand.

The machine has no route into the lab's networks, and gets none: the socket is made in the guest's
own network namespace.
"""

from __future__ import annotations

import os
import selectors
import socket
from pathlib import Path

from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.errors import TaskError
from lab.network.inside import made_in

CONNECT_S = 10.0
PIECE = 1 << 16


def connect(state: Path, vmid: int, port: int) -> None:
    """Carry bytes both ways until one side ends; `TaskError` when nobody listens there."""
    holder = Holder(state / "guests")
    init = Container(holder, vmid).init if holder.adopt() else None
    if init is None:
        raise TaskError(f"guest {vmid} does not run")

    def made() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), CONNECT_S)

    try:
        with made_in(Path(f"/proc/{init}/ns/net"), made) as there:
            there.settimeout(None)
            carry(there, 0, 1)
    except OSError as error:
        raise TaskError(f"guest {vmid}, port {port}: {error.strerror or error}") from None


def carry(there: socket.socket, given: int, told: int) -> None:
    """Bytes from the descriptor `given` to the socket, and from there to `told`."""
    # Not epoll, which refuses files and /dev/null.
    with selectors.PollSelector() as ready:
        ready.register(given, selectors.EVENT_READ)
        ready.register(there, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is there:
                    piece = there.recv(PIECE)
                    if not piece:
                        return
                    _write_all(told, piece)
                elif piece := os.read(given, PIECE):
                    there.sendall(piece)
                else:
                    ready.unregister(given)
                    there.shutdown(socket.SHUT_WR)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
