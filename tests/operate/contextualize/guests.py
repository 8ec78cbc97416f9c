"""Guests in folders: an API of which the agents carry orders out below a folder each."""

from __future__ import annotations

import base64
import contextlib
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operate.api import ApiError
from operate.contextualize import agent as agents
from operate.contextualize.agent import Agent


class FolderApi:
    """Answers as Proxmox VE does to calls of the agent; programs run in this process.

    `silent` counts pings that go unanswered; `lost` counts answers of exec-status that get lost;
    `broken` is what the first exec meets.
    """

    def __init__(
        self, root: Path, *, silent: int = 0, lost: int = 0, broken: ApiError | None = None
    ) -> None:
        self.broken = broken
        self.root = root
        self.silent = silent
        self.lost = lost
        self.argv: list[str] = []
        self.ended: dict[int, str] = {}
        self.parts = ""

    def post(self, path: str, **fields: str | Sequence[str]) -> Any:
        if path.endswith("/agent/ping"):
            if self.silent:
                self.silent -= 1
                raise ApiError("answer", "QEMU guest agent is not running", status=500)
            return {"result": {}}
        if self.broken is not None:
            met, self.broken = self.broken, None
            raise met
        command = list(fields["command"])
        self.argv += command
        pid = len(self.ended) + 1
        self.ended[pid] = self._run(command[-1], str(fields["input-data"]))
        return {"pid": pid}

    def get(self, path: str, **query: str) -> Any:
        if self.lost:
            self.lost -= 1
            raise ApiError("answer", "QEMU guest agent is not running", status=500)
        return {"exited": 1, "exitcode": 0, "out-data": self.ended[int(query["pid"])]}

    def _run(self, program: str, given: str) -> str:
        if program == agents._GATHERER:
            self.parts += given
            return ""
        if program.startswith("import os;os.path.lexists"):
            self.parts = ""
            return ""
        packed = self.parts if program == agents._PARTS_LOADER else given
        text = zlib.decompress(base64.b64decode(packed)).decode()
        call = "settled_and_done(orders"
        text = text.replace(f"{call})", f"{call}, {str(self.root)!r})")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(text, {"__name__": "practicum"})
        return output.getvalue()


def agent(api: FolderApi) -> Agent:
    """The agent of the one guest of such an API; nothing is slept for."""
    now = iter(range(100_000))
    return Agent(
        api=api,  # type: ignore[arg-type]  # as much of it as an agent uses
        host="pve01",
        vmid=100701,
        answers_s=600,
        clock=lambda: float(next(now)),
        sleep=lambda _: None,
    )
