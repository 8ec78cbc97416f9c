"""Networks of a lab, and guests that are no more than a namespace with a card."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.network.names import Port
from lab.network.plumb import Plumb
from lab.network.system import unavailable
from tests.packets.wires import NAMESPACES, Leg, ip


@pytest.fixture(autouse=True, scope="session")
def rights() -> None:
    """Skip with one sentence where this cannot run; where CI is set that is a failure."""
    reason = unavailable()
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the packets tier."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.packets)


class Ground:
    """A lab's plumbing and its guests, until `close`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.plumb = Plumb(state)
        self._prefix = f"practicum-guest-{secrets.token_hex(4)}-"
        self._legs: list[Leg] = []

    def guest(self, vmid: int) -> str:
        """The name of a guest's namespace."""
        return f"{self._prefix}{vmid}"

    def guests(self, *ports: Port) -> None:
        """Make guests with these cards, and switch the cards on."""
        new = [
            vmid
            for vmid in dict.fromkeys(port.vmid for port in ports)
            if not (NAMESPACES / self.guest(vmid)).exists()
        ]
        ip(*(f"netns add {self.guest(vmid)}" for vmid in new))
        asyncio.run(self._attach(ports))

    async def _attach(self, ports: tuple[Port, ...]) -> None:
        await self.plumb.ensure_hosts(dict.fromkeys(port.host for port in ports))
        for port in ports:
            await self.plumb.attach(
                port.vmid, port.nic, port.host, port.bridge, port.vlan, port.mac, port.firewall,
                self.guest(port.vmid),
            )  # fmt: skip
        for port in ports:
            ip(f"link set eth{port.nic} up", namespace=self.guest(port.vmid))

    def leg(self, vmid: int, nic: int = 0) -> Leg:
        """A raw socket on a card."""
        leg = Leg(self.guest(vmid), f"eth{nic}")
        self._legs.append(leg)
        return leg

    def close(self) -> None:
        for leg in self._legs:
            leg.close()
        asyncio.run(Plumb(self.state).teardown())
        for path in NAMESPACES.glob(f"{self._prefix}*"):
            subprocess.run(["ip", "netns", "delete", path.name], check=False)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    try:
        yield made
    finally:
        made.close()
