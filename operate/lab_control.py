"""Orders to a running lab, over the socket in its state folder; one JSON object a line each way."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from event.problems import RunError
from operate.lab_process import LabStatus

NAME = "control.sock"
PATIENCE_S = 30.0


def ask(lab: LabStatus, do: str, **order: Any) -> Any:
    """What the lab answers to an order; `RunError` when it does not run or refuses."""
    if not lab.running:
        raise RunError(f"lab {lab.site} does not run; type: ./practicum lab start {lab.site}")
    try:
        answer = _exchange(lab.state / NAME, {"do": do, **order})
    except (OSError, ValueError) as error:
        raise RunError(f"lab {lab.site} takes no orders at {lab.state / NAME} ({error})") from None
    if "error" in answer:
        raise RunError(str(answer["error"]))
    return answer["ok"]


def _exchange(path: Path, order: dict[str, Any]) -> dict[str, Any]:
    # A link stands for a socket whose own name would be too long.
    name = os.readlink(path) if path.is_symlink() else str(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(name)
        with connection.makefile("rwb") as stream:
            stream.write(json.dumps(order).encode() + b"\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
    return answer
