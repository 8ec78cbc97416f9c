"""The engine's lock on a stack: who holds it, and whether that process is still there."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

PROJECT = "practicum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file of Pulumi's file backend."""

    path: Path
    pid: int
    user: str
    host: str
    since: str

    @property
    def is_stale(self) -> bool:
        """Whether its process was on this machine and is gone: nobody will release it."""
        return self.host == socket.gethostname() and not _is_engine(self.pid)

    def __str__(self) -> str:
        when = self.since.partition(".")[0].replace("T", " ")
        return f"{self.user}@{self.host}, process {self.pid}, since {when}"


def locks(backend_url: str, stack: str) -> list[Lock]:
    """Locks of a stack in a file backend; none for others, whose errors tell by themselves."""
    return [lock for path in _files(backend_url, stack) if (lock := _read(path)) is not None]


def unreadable(backend_url: str, stack: str) -> list[Path]:
    """Lock files that say nothing, after a power cut: the engine renames whole ones into place."""
    return [path for path in _files(backend_url, stack) if path.exists() and _read(path) is None]


def _files(backend_url: str, stack: str) -> list[Path]:
    if not backend_url.startswith("file://"):
        return []
    folder = Path(backend_url.removeprefix("file://")).expanduser()
    found = (folder / ".pulumi" / "locks").glob(f"organization/{PROJECT}/{stack}/*.json")
    return sorted(found)


def _read(path: Path) -> Lock | None:
    """A lock; None for one that was just released or cannot be read."""
    try:
        body = json.loads(path.read_text())
        return Lock(
            path=path,
            pid=int(body["pid"]),
            user=str(body["username"]),
            host=str(body["hostname"]),
            since=str(body["timestamp"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_engine(pid: int) -> bool:
    """Whether a process of that number is there and is a Pulumi engine.

    One that was killed keeps its number and name until its parent has asked how it ended.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()  # NUMBER (NAME) STATE …
    except OSError:
        return False
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return "pulumi" in name and rest.split()[0] not in ("Z", "X")
