"""Sockets and taps of another network namespace: they stay where they were made."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_CLONE_NET = 0x40000000
_T = TypeVar("_T")


def made_in(namespace: Path, make: Callable[[], _T]) -> _T:
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
