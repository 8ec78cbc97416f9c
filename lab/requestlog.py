"""One JSON line per request, without secrets, for the operator and for measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

MAX_BYTES = 32 * 1024 * 1024
KEPT_FILES = 3
LONGEST_VALUE = 512
SECRET = {
    *("password", "confirmation-password", "cipassword", "sshkeys", "keys", "privkey"),
    *("key", "client-key", "token", "data", "otel-headers"),
}
MASK = "********"


class RequestLog:
    """Appends to `requests.jsonl`; at 32 MiB the file becomes `.1`, and `.1` becomes `.2`.

    Lines are `{"t": seconds since 1970, "method", "path", "status", "ms": time in the server,
    "user", "params"}`, and `faults` when some struck; status 0 is an answer that was not sent, or
    not whole. `flush` makes them visible to readers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("ab")

    def add(
        self,
        *,
        t: float,
        method: str,
        path: str,
        status: int,
        ms: float,
        user: str | None,
        params: dict[str, Any],
        faults: Sequence[int] = (),
    ) -> None:
        """Append one line; `faults` are the numbers of those that struck the request."""
        line = {
            "t": round(t, 4),
            "method": method,
            "path": path,
            "status": status,
            "ms": round(ms, 3),
            "user": user,
            "params": {name: _shown(name, value) for name, value in params.items()},
        }
        if faults:
            line["faults"] = list(faults)
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write out what is buffered, and start a new file when this one is long."""
        self._file.flush()
        if self._file.tell() > MAX_BYTES:
            self._rotate()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self._path.with_suffix(f".jsonl.{number}")
            newer = self._path.with_suffix(f".jsonl.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
        self._file = self._path.open("ab")

    def close(self) -> None:
        """Write out and close."""
        self._file.close()


def _shown(name: str, value: Any) -> Any:
    if name in SECRET:
        return MASK
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value
