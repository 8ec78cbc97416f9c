"""Sockets of another network namespace: a socket stays where it was made."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from pathlib import Path

_CLONE_NET = 0x40000000


def socket_in(namespace: Path, make: Callable[[], socket.socket]) -> socket.socket:
    """What `make` returns, made in a namespace.

    To be called in a thread of its own (`asyncio.to_thread`): the thread goes there and back.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(namespace, os.O_RDONLY)
    try:
        if libc.setns(there, _CLONE_NET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            return make()
        finally:
            libc.setns(before, _CLONE_NET)
    finally:
        os.close(there)
        os.close(before)
