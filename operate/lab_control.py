"""Orders to a running lab, over the socket in its state folder; one JSON object a line each way."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from event.problems import RunError
from operate.lab_process import LabStatus

NAME = "control.sock"
PATIENCE_S = 30.0


def ask(lab: LabStatus, do: str, **order: Any) -> Any:
    """What the lab answers to an order; `RunError` when it does not run or refuses."""
    with held(lab, do, **order) as answer:
        return answer


@contextmanager
def held(lab: LabStatus, do: str, **order: Any) -> Iterator[Any]:
    """The same; what the lab has taken for the order is given back at the end of this."""
    lab.stop_if_down()
    path = lab.state / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            answer = _exchange(connection, path, {"do": do, **order})
        except (OSError, ValueError) as error:
            raise RunError(f"lab {lab.site} takes no orders at {path} ({error})") from None
        if "error" in answer:
            raise RunError(str(answer["error"]))
        yield answer["ok"]


def _exchange(connection: socket.socket, path: Path, order: dict[str, Any]) -> dict[str, Any]:
    # A link stands for a socket whose own name would be too long.
    connection.settimeout(PATIENCE_S)
    connection.connect(os.readlink(path) if path.is_symlink() else str(path))
    with connection.makefile("rwb") as stream:
        stream.write(json.dumps(order).encode() + b"\n")
        stream.flush()
        answer: dict[str, Any] = json.loads(stream.readline())
    return answer
