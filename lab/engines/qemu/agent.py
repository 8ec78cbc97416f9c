"""The guest agent of a machine, over its virtio-serial port: asked one thing at a time.

Commands without `guest-`, arguments and answers are the agent's own; `lab/guests/agent.py` has the
forms of Proxmox VE around them.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from lab.engines.qemu.monitor import Monitor
from lab.errors import TaskError, failure

SYNC_S = 20.0
ANSWER_S = 300.0
SILENT_S = 5.0
_LINE = 1 << 26  # 16 MiB of output in base64, twice
_SILENT = frozenset({"shutdown", "suspend-disk", "suspend-ram", "suspend-hybrid"})
"""Commands that are answered only when they fail."""
_MARK = b"\xff"


class Agent:
    """Answers of one guest's agent; `path` is the port's socket."""

    def __init__(self, vmid: int, path: str, monitor: Monitor) -> None:
        self._vmid, self._path, self._monitor = vmid, path, monitor
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:
        """The answer; None when no agent has opened the port."""
        async with self._lock:
            try:
                if not await self._listens():
                    await self.close()
                    return None
                if self._streams is None and not await self._join():
                    return None
                return await self._answer(command, arguments)
            except (OSError, asyncio.IncompleteReadError):
                await self.close()
                return None
            except TaskError as error:  # the machine has ended meanwhile
                raise failure(str(error)) from error
            except BaseException:
                await self.close()  # an answer may still come, and is nobody's
                raise

    async def _listens(self) -> bool:
        ports = await self._monitor.order("query-chardev")
        return any(port["label"] == "agent" and port["frontend-open"] for port in ports)

    async def _join(self) -> bool:
        """Connect, and read away what was left by others; False when nobody answers."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=_LINE)
        self._streams = reader, writer
        number = secrets.randbits(31)
        writer.write(_MARK + _order("sync-delimited", {"id": number}))
        try:
            async with asyncio.timeout(SYNC_S):
                await writer.drain()
                while True:
                    await reader.readuntil(_MARK)
                    if _read(await reader.readline()).get("return") == number:
                        return True
        except (TimeoutError, ValueError, asyncio.LimitOverrunError):
            await self.close()
            return False

    async def _answer(self, command: str, arguments: dict[str, Any]) -> Any:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(_order(command, arguments))
        silent = command in _SILENT
        try:
            async with asyncio.timeout(SILENT_S if silent else ANSWER_S):
                await writer.drain()
                line = await reader.readline()
        except TimeoutError:
            await self.close()
            if silent:
                return {}
            text = f"VM {self._vmid} qga command 'guest-{command}' failed - got timeout"
            raise failure(text) from None
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the agent's port was closed")
        said = _read(line)
        return {"error": said["error"]} if "error" in said else said["return"]

    async def close(self) -> None:
        """Let go of the port."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _order(command: str, arguments: dict[str, Any]) -> bytes:
    order: dict[str, Any] = {"execute": f"guest-{command}"}
    if arguments:
        order["arguments"] = arguments
    return json.dumps(order).encode() + b"\n"


def _read(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line.lstrip(_MARK))
    return found
