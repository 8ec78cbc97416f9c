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
    if not backend_url.startswith("file://"):
        return []
    folder = Path(backend_url.removeprefix("file://")).expanduser()
    found = []
    for path in sorted(
        (folder / ".pulumi" / "locks").glob(f"organization/{PROJECT}/{stack}/*.json")
    ):
        try:
            body = json.loads(path.read_text())
            found.append(
                Lock(
                    path=path,
                    pid=int(body["pid"]),
                    user=str(body["username"]),
                    host=str(body["hostname"]),
                    since=str(body["timestamp"]),
                )
            )
        except (OSError, ValueError, KeyError):
            continue  # released, or just being written
    return found


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
