"""Networks of a lab, and guests that are no more than a namespace with a card."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from lab.app import Lab
from lab.firewall.resolve import EMPTY
from lab.network.guard import LabNetwork
from lab.network.names import Port, own_mac
from lab.network.system import ip_batch, links, unavailable
from lab.store import Store
from tests.packets.wires import NAMESPACES, Leg, inside, ip

T = TypeVar("T")


@pytest.fixture(autouse=True, scope="session")
def rights() -> None:
    """Skip with one sentence where this cannot run; where CI is set that is a failure, unless
    nobody could have installed what is missing."""
    reason = unavailable()
    if reason is None:
        return
    if os.environ.get("CI") and os.geteuid() == 0 and not os.environ.get("PRACTICUM_NO_PACKAGES"):
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the packets tier."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.packets)


class Ground:
    """A lab's plumbing and its guests, until `close`."""

    def __init__(self, state: Path, services: dict[str, Any] | None = None) -> None:
        self.state = state
        self.store = Store(state / "lab.db")
        if services:
            self.store.put("option", "services", services)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        lab = SimpleNamespace(settings=SimpleNamespace(state=state), store=self.store)
        self._lab = cast(Lab, lab)
        self.network = LabNetwork(self._lab)
        self.plumb = self.network.plumb
        self._prefix = f"practicum-guest-{secrets.token_hex(4)}-"
        self._legs: list[Leg] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine answers, in the loop that also follows the settings."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def restart(self, *alive: int) -> None:
        """A lab whose process ends and comes again, while these guests go on."""
        self.run(self.network.close())
        self.network = LabNetwork(self._lab)
        self.plumb = self.network.plumb
        self.run(self.plumb.reconcile(alive))

    def settings(self, **rows: dict[str, Any]) -> None:
        """Firewall settings by scope (`cluster`, `vm_100`, `group_heads`), and wait until they
        are in force."""
        for key, row in rows.items():
            self.store.put("firewall", key.replace("_", "/", 1), {**EMPTY, **row})
        self.run(self.plumb.guard_all())

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
        for vmid in new:
            with inside(self.guest(vmid)):  # no words of the guest's own kernel
                Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
                Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        self.run(self._attach(ports))

    async def _attach(self, ports: tuple[Port, ...]) -> None:
        await self.plumb.ensure_hosts(dict.fromkeys(port.host for port in ports))
        some = asyncio.Semaphore(8)

        async def attach(port: Port) -> None:
            async with some:
                if port.trunk:  # a leg: its card is there
                    name = self.guest(port.vmid)
                    await self.plumb.attach_trunk(port.vmid, port.nic, [port.vlan or 0], name)
                    await ip_batch(name, [f"link set {port.inner} up"])
                    return
                await self.plumb.attach(
                    port.vmid, port.nic, port.host, port.bridge, port.vlan, port.mac,
                    port.firewall, self.guest(port.vmid),
                )  # fmt: skip
                await ip_batch(self.guest(port.vmid), [f"link set eth{port.nic} up"])

        await asyncio.gather(*(attach(port) for port in ports if not port.trunk))
        await asyncio.gather(*(attach(port) for port in ports if port.trunk))
        await self._carried({port.host for port in ports})

    async def _carried(self, hosts: set[str]) -> None:
        """Wait until every link has seen that its other end is up: where both ends have the same
        number, the kernel tells of it up to a second later, and drops frames until then."""
        names = [self.plumb.names.switch, *map(self.plumb.namespace, sorted(hosts))]
        until = self._loop.time() + 60
        while names:
            found = await links(names[-1])
            if not any("NO-CARRIER" in link["flags"] for link in found):
                names.pop()
                continue
            assert self._loop.time() < until, f"{names[-1]}: a link has no carrier"
            await asyncio.sleep(0.05)

    def leg(self, vmid: int, nic: int = 0, vlan: int = 0) -> Leg:
        """A raw socket on a card, or on a leg of its trunk."""
        port = self.port(vmid, nic, vlan)
        leg = Leg(self.guest(vmid), port.inner, own_mac(f"{port.host}/{port.network}"))
        self._legs.append(leg)
        return leg

    def port(self, vmid: int, nic: int = 0, vlan: int = 0) -> Port:
        """A card, or a leg of its trunk."""
        return next(each for each in self.plumb.ports() if each.key == (vmid, nic, vlan))

    def close(self) -> None:
        for leg in self._legs:
            leg.close()
        self.run(self.plumb.teardown())
        self.run(self.network.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.store.close()
        for path in NAMESPACES.glob(f"{self._prefix}*"):
            subprocess.run(["ip", "netns", "delete", path.name], check=False)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    try:
        yield made
    finally:
        made.close()
