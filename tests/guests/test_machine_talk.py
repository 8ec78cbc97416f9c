"""A machine's monitor and its agent, against somebody who answers as they do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.engines.qemu.agent import Agent
from lab.engines.qemu.monitor import MachineError, Monitor
from lab.errors import ApiError, TaskError


class Machine:
    """Somebody who answers as QEMU's monitor does, and as an agent behind its port."""

    def __init__(self, folder: Path) -> None:
        self.qmp, self.port = str(folder / "qmp"), str(folder / "agent")
        self.open = True
        self.asked: list[str] = []
        self.given: list[str] = []

    async def monitor(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"QMP": {}}\n')
        while line := await reader.readline():
            order = json.loads(line)
            answer: dict[str, Any] = {"return": {}}
            if order["execute"] == "query-chardev":
                answer = {"return": [{"label": "agent", "frontend-open": self.open}]}
            elif order["execute"] == "quit":
                break
            elif order["execute"] == "getfd":
                self.given.append(order["arguments"]["fdname"])
            elif order["execute"] == "fail":
                answer = {"error": {"class": "GenericError", "desc": "it does not work"}}
            writer.write(b'{"event": "RESUME"}\n')
            writer.write(json.dumps(answer | {"id": order["id"]}).encode() + b"\n")
        writer.close()

    async def agent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"return": "of somebody who was here before"}\n')
        while line := await reader.readline():
            order = json.loads(line.lstrip(b"\xff"))
            self.asked.append(order["execute"])
            if order["execute"] == "guest-sync-delimited":
                writer.write(b'\xff{"return": %d}\n' % order["arguments"]["id"])
            elif order["execute"] == "guest-leave":
                break
            elif order["execute"] == "guest-unknown":
                writer.write(b'{"error": {"class": "CommandNotFound", "desc": "unknown"}}\n')
            else:
                writer.write(b'{"return": {"pid": 7}}\n')
        writer.close()


@contextlib.asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[Machine, Monitor, Agent]]:
    machine = Machine(folder)
    async with (
        await asyncio.start_unix_server(machine.monitor, machine.qmp),
        await asyncio.start_unix_server(machine.agent, machine.port),
    ):
        monitor = Monitor(machine.qmp)
        await monitor.open()
        agent = Agent(700, machine.port, monitor)
        yield machine, monitor, agent
        await agent.close()
        await monitor.close()


def test_orders_are_answered_whatever_else_a_machine_says(tmp_path: Path) -> None:
    async def story() -> None:
        async with talking(tmp_path) as (_, monitor, _agent):
            both = await asyncio.gather(monitor.order("stop"), monitor.order("cont"))
            assert list(both) == [{}, {}]
            with pytest.raises(MachineError, match="it does not work"):
                await monitor.order("fail")
            assert await monitor.order("cont") == {}

    asyncio.run(story())


def test_a_machine_that_ends_leaves_no_order_unanswered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with talking(tmp_path) as (_, monitor, agent):
            orders = [monitor.order(name) for name in ("stop", "quit", "cont")]
            answers = await asyncio.gather(*orders, return_exceptions=True)
            assert answers[0] == {}
            assert [str(answer) for answer in answers[1:]] == ["the machine has ended"] * 2
            with pytest.raises(TaskError, match="the machine has ended"):
                await monitor.order("cont")
            with pytest.raises(ApiError, match="the machine has ended"):
                await agent.ask("ping", {})

    asyncio.run(story())
    gc.collect()
    assert caplog.messages == []


def test_a_descriptor_is_handed_over_under_a_name(tmp_path: Path) -> None:
    async def story() -> None:
        async with talking(tmp_path) as (machine, monitor, _):
            with (tmp_path / "tap").open("w") as tap:
                await monitor.give("tap0", tap.fileno())
            assert machine.given == ["tap0"]

    asyncio.run(story())


def test_an_agent_is_asked_behind_what_others_have_left(tmp_path: Path) -> None:
    async def story() -> None:
        async with talking(tmp_path) as (machine, _, agent):
            assert await agent.ask("exec", {"path": "true"}) == {"pid": 7}
            refusal = {"error": {"class": "CommandNotFound", "desc": "unknown"}}
            assert await agent.ask("unknown", {}) == refusal
            assert await agent.ask("leave", {}) is None
            assert await agent.ask("ping", {}) == {"pid": 7}
            assert machine.asked.count("guest-sync-delimited") == 2

    asyncio.run(story())


def test_a_port_that_no_agent_has_opened_is_not_waited_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with talking(tmp_path) as (machine, _, agent):
            machine.open = False
            assert await agent.ask("ping", {}) is None
            assert machine.asked == []

    asyncio.run(story())
