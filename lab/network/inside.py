"""Sockets and taps of another network namespace: they stay where they were made."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
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
    made: Future[_T] = Future()
    there = os.open(namespace, os.O_RDONLY)

    def work() -> None:
        try:
            if libc.setns(there, _CLONE_NET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
            made.set_result(make())
        except BaseException as error:
            made.set_exception(error)

    thread = threading.Thread(target=work)
    try:
        thread.start()
        thread.join()
    finally:
        os.close(there)
    return made.result()
