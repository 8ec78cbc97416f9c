"""Sockets and taps of another network namespace: they stay where they were made."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_CLONE_NET = 0x40000000
_T = TypeVar("_T")


def made_in(namespace: Path, make: Callable[[], _T]) -> _T:
    """What `make` returns, made in a namespace.

    A thread goes there and ends there: in a lab without root, whose server is in the machine's
    network, there is no way back.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    there = os.open(namespace, os.O_RDONLY)

    def work() -> _T:
        if libc.setns(there, _CLONE_NET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        return make()

    try:
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(work).result()
    finally:
        os.close(there)
