"""Orders to a running lab over a local socket in its state folder; the API knows none of them.

One JSON object a line in, one out: `{"do": "add-fault", "fault": {…}}` is answered with
`{"ok": …}` or `{"error": "text"}`. Only the owner of the state folder can connect: the socket has
mode 0600 in a folder of mode 0700. A state folder whose path is too long for a socket's name holds
a link to a socket in a private folder of the system's temporary directory.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from lab import archive
from lab.archive import ArchiveError
from lab.disk_order import open_disk
from lab.errors import ApiError, TaskError
from lab.faults.kinds import KINDS, settings_of
from lab.faults.rule import FaultError
from lab.network.system import NetworkError

if TYPE_CHECKING:
    from lab.app import Lab

NAME = "control.sock"
LONGEST_PATH = 100  # bytes; the system's limit is 104 or 108
LONGEST_LINE = 1024 * 1024
_FOLDER = "practicum-lab-"
Order = dict[str, Any]
_log = logging.getLogger(__name__)


class Control:
    """The control socket of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._path = lab.settings.state / NAME
        self._folder: Path | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._orders: dict[str, Callable[[Order], Awaitable[Any]]] = {
            "status": self._status,
            "kinds": self._kinds,
            "add-fault": self._add_fault,
            "list-faults": self._list_faults,
            "clear-faults": self._clear_faults,
            "export": self._export,
            "counters": self._counters,
        }
        # What these take is given back when the connection ends.
        self._holding = {"open-disk": open_disk}

    async def start(self) -> None:
        """Listen; a socket that a killed lab has left is replaced."""
        if self._path.is_symlink():
            left = self._path.readlink().parent
            if left.name.startswith(_FOLDER):
                shutil.rmtree(left, ignore_errors=True)
        self._path.unlink(missing_ok=True)
        real = self._path
        if len(bytes(self._path.absolute())) > LONGEST_PATH:
            self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
            real = self._folder / NAME
            self._path.symlink_to(real)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(real))
        real.chmod(0o600)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=LONGEST_LINE
        )

    async def stop(self) -> None:
        """Stop listening and remove the socket; safe after a failed start."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        async with AsyncExitStack() as held:
            with suppress(ConnectionError, ValueError):  # gone, or a line without an end
                while line := await reader.readline():
                    writer.write(orjson.dumps(await self._answer(line, held)) + b"\n")
                    await writer.drain()
        writer.close()

    async def _answer(self, line: bytes, held: AsyncExitStack) -> dict[str, Any]:
        try:
            order = orjson.loads(line)
            do = order.get("do") if isinstance(order, dict) else None
            if do in self._holding:
                return {"ok": await self._holding[do](self._lab, order, held)}
            if do not in self._orders:
                known = ", ".join([*self._orders, *self._holding])
                return {"error": f"an order is one of {known}"}
            return {"ok": await self._orders[do](order)}
        except (FaultError, ArchiveError, TaskError, NetworkError, orjson.JSONDecodeError) as error:
            return {"error": str(error)}
        except ApiError as error:
            return {"error": error.message.strip()}
        except Exception as error:
            _log.exception("control")
            return {"error": f"internal error: {error!r}"}

    async def _status(self, _order: Order) -> dict[str, Any]:
        limits = self._lab.limits
        return {
            "realistic": limits.bounded,
            "cloneSeconds": limits.clone_s,
            "clock": limits.clock,
            "faults": sum(not fault["over"] for fault in self._lab.faults.listed()),
        }

    async def _kinds(self, _order: Order) -> list[dict[str, Any]]:
        return [
            {
                "kind": name,
                "scope": kind.scope.value,
                "what": kind.what,
                "needs": sorted(kind.needed),
                "takes": sorted(settings_of(kind) - kind.needed),
            }
            for name, kind in KINDS.items()
        ]

    async def _add_fault(self, order: Order) -> dict[str, Any]:
        asked = order.get("fault")
        if not isinstance(asked, dict):
            raise FaultError("fault: an object with a kind is needed")
        return (await self._lab.faults.add(asked)).as_record()

    async def _list_faults(self, _order: Order) -> list[dict[str, Any]]:
        return self._lab.faults.listed()

    async def _clear_faults(self, order: Order) -> list[int]:
        numbers = order.get("numbers")
        known = {fault["number"] for fault in self._lab.faults.listed()}
        if strangers := sorted(set(numbers or ()) - known):
            raise FaultError(f"there is no fault {strangers[0]}")
        return self._lab.faults.clear(numbers)

    async def _counters(self, _order: Order) -> list[dict[str, Any]]:
        """Packets and bytes of all cards; none without an engine whose guests have some."""
        network = self._lab.network
        return [] if network is None else await network.counters()

    async def _export(self, order: Order) -> int:
        """The number of objects written to the file that is named."""
        return archive.export(self._lab.store, Path(str(order.get("file"))))
