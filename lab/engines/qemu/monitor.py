"""QMP: orders to a machine and its answers, over a socket that one client at a time may have."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import Callable
from typing import Any

from lab.errors import TaskError

ANSWER_S = 120.0
POLL_S = 0.1
_LINE = 1 << 24


class MachineError(TaskError):
    """An order that the machine refused, in its own words."""


class Monitor:
    """The monitor of one machine; `open` first. Lost when the machine ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        """Connect; `TaskError` when the machine does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, self._writer = await asyncio.open_unix_connection(self._path, limit=_LINE)
                await reader.readline()  # the greeting, once an earlier client has gone
        except (OSError, TimeoutError) as error:
            raise TaskError(f"the machine does not answer: {error or 'got timeout'}") from error
        self._reading = asyncio.create_task(self._read(reader))
        await self.order("qmp_capabilities")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                said = json.loads(line)
                waiting = self._asked.pop(said.get("id", 0), None)
                if waiting is None or waiting.done():
                    continue  # an event, or an answer that nobody waits for any more
                if error := said.get("error"):
                    waiting.set_exception(MachineError(str(error["desc"])))
                else:
                    waiting.set_result(said["return"])
        except (OSError, ValueError):
            pass
        finally:
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(TaskError("the machine has ended"))
            self._asked.clear()

    async def order(self, command: str, /, **arguments: Any) -> Any:
        """Its answer; `MachineError` when it refuses, `TaskError` when it ends or hangs."""
        return await self._ask(command, arguments, self._writer.write)

    async def give(self, name: str, descriptor: int) -> None:
        """Hand a descriptor to the machine under a name, for the order that follows."""
        connection = self._writer.get_extra_info("socket").fileno()
        await self._writer.drain()
        await self._ask("getfd", {"fdname": name}, lambda data: _send(connection, data, descriptor))

    async def _ask(
        self, command: str, arguments: dict[str, Any], send: Callable[[bytes], None]
    ) -> Any:
        if self._reading is None or self._reading.done():
            raise TaskError("the machine has ended")
        number = next(self._numbers)
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = waiting
        order = {"execute": command, "arguments": arguments, "id": number}
        try:
            async with asyncio.timeout(ANSWER_S):
                send(json.dumps(order).encode() + b"\n")
                await self._writer.drain()
                return await waiting
        except ConnectionError as error:
            raise TaskError("the machine has ended") from error
        except TimeoutError as error:
            raise TaskError(f"'{command}' failed - got timeout") from error
        finally:
            self._asked.pop(number, None)
            if waiting.done() and not waiting.cancelled():
                waiting.exception()  # which nobody waits for any more

    async def job(self, command: str, /, **arguments: Any) -> None:
        """An order that is worked on for as long as it takes; `MachineError` when it fails."""
        name = f"job{next(self._numbers)}"
        await self.order(command, **{"job-id": name}, **arguments)
        await self.wait_for(name)

    async def wait_for(self, name: str) -> None:
        """Wait for a job that stays until it is dismissed."""
        while True:
            jobs = {job["id"]: job for job in await self.order("query-jobs")}
            found = jobs.get(name)
            if found is None or found["status"] == "concluded":
                break
            await asyncio.sleep(POLL_S)
        if found is not None:
            await self.order("job-dismiss", id=name)
            if found.get("error"):
                raise MachineError(str(found["error"]))

    async def device_gone(self, name: str, timeout_s: float) -> bool:
        """Wait until a device that was unplugged is gone: its guest has to let go of it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while True:
            found = await self.order("qom-list", path="/machine/peripheral")
            if name not in {each["name"] for each in found}:
                return True
            if loop.time() > until:
                return False
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Let go of the machine, which goes on."""
        if self._reading is not None:
            self._reading.cancel()
            self._writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._reading


def _send(connection: int, data: bytes, descriptor: int) -> None:
    # The transport's own socket may not send descriptors; a copy of it may.
    with socket.socket(fileno=os.dup(connection)) as copy:
        socket.send_fds(copy, [data], [descriptor])
