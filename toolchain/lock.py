"""One builder at a time: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_REMIND_S = 10.0
_POLL_S = 0.5


@contextmanager
def held(path: Path, say: Callable[[str], None], poll_s: float = _POLL_S) -> Iterator[None]:
    """Hold the lock file; while another process has it, say so every ten seconds and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        reminded = float("-inf")
        while not _taken(file.fileno()):
            if time.monotonic() - reminded >= _REMIND_S:
                say(f"another build is running (pid {_holder(path)}), waiting")
                reminded = time.monotonic()
            time.sleep(poll_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() or "unknown"
