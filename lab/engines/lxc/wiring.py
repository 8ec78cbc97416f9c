"""A guest's network: a namespace of its own with its cards in it, there before it starts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from lab.engines.lxc.holder import Holder
from lab.engines.lxc.programs import run
from lab.engines.lxc.settings import Card, cards
from lab.network import system
from lab.network.plumb import Plumb

_NAMED = Path("/run/netns")
# As a kernel of its own begins, whatever the machine's does: it would pass packets on, else.
_FRESH = "echo 0 > /proc/sys/net/ipv4/ip_forward"


class Wiring:
    """Networks of one lab's guests, plugged into the bridges that `plumb` keeps."""

    def __init__(self, holder: Holder, plumb: Plumb) -> None:
        self._holder, self._plumb = holder, plumb
        self._prefix = f"{holder.name.replace('practicum', 'guest')}-"

    def name(self, vmid: int) -> str:
        """The guest's network namespace, below /run/netns."""
        return f"{self._prefix}{vmid}"

    async def connect(self, vmid: int, host: str, config: dict[str, Any]) -> None:
        """Make the guest's network, which is not there, and plug in its cards; the holder knows
        it by its number."""
        name = self.name(vmid)
        await system.add(name)
        await run("ip", "-n", name, "link", "set", "lo", "up")
        place = f"/run/networks/{vmid}"
        script = (
            f"{_forget(place)}; touch {place}; mount --bind /proc/self/ns/net {place}; {_FRESH}"
        )
        await run(*self._holder.inside("sh", "-ec", script, network=str(_NAMED / name)))
        for card in cards(config):
            await self._plug(vmid, host, card)

    async def _plug(self, vmid: int, host: str, card: Card) -> None:
        await self._plumb.attach(
            vmid, card.number, host, card.bridge, card.vlan, card.mac, card.firewall,
            self.name(vmid),
        )  # fmt: skip
        await self._plumb.attach_trunk(vmid, card.number, card.trunks, self.name(vmid))

    async def disconnect(self, vmid: int) -> None:
        """Pull all cards out and remove the guest's network; an absent one is no error."""
        numbers = sorted({port.nic for port in self._plumb.ports() if port.vmid == vmid})
        if not numbers and not (_NAMED / self.name(vmid)).exists():
            return
        await asyncio.gather(*(self._plumb.detach(vmid, number) for number in numbers))
        place = f"/run/networks/{vmid}"
        if self._holder.running:
            await self._holder.run("sh", "-c", _forget(place), check=False)
        if (_NAMED / self.name(vmid)).exists():
            await run("ip", "netns", "delete", self.name(vmid), check=False)

    async def change(self, vmid: int, host: str, config: dict[str, Any]) -> None:
        """Bring the cards of a running guest in line with its configuration."""
        wanted = {card.number: card for card in cards(config)}
        ports = [port for port in self._plumb.ports() if port.vmid == vmid]
        for port in [port for port in ports if not port.trunk]:
            card = wanted.get(port.nic)
            legs = {leg.vlan for leg in ports if leg.trunk and leg.nic == port.nic}
            same = card is not None and (card.bridge, card.vlan, card.mac, card.firewall) == (
                port.bridge, port.vlan, port.mac, port.firewall
            )  # fmt: skip
            if card is not None and same and legs == set(card.trunks) - {card.vlan}:
                del wanted[port.nic]
            else:
                await self._plumb.detach(vmid, port.nic)
        for card in wanted.values():
            await self._plug(vmid, host, card)
            await run("ip", "-n", self.name(vmid), "link", "set", f"eth{card.number}", "up")

    async def move(self, vmid: int, host: str) -> None:
        """Plug all cards into another host's bridges while the guest goes on."""
        for number in {port.nic for port in self._plumb.ports() if port.vmid == vmid}:
            await self._plumb.move(vmid, number, host)

    async def reconcile(self, alive: frozenset[int]) -> None:
        """After a restart: keep the cards of guests that run, remove everything else."""
        await self._plumb.reconcile(alive)
        for path in list(_NAMED.glob(f"{self._prefix}*")):
            if int(path.name.removeprefix(self._prefix)) not in alive:
                await self.disconnect(int(path.name.removeprefix(self._prefix)))

    async def teardown(self) -> None:
        """Remove the networks of all guests and hosts."""
        for path in list(_NAMED.glob(f"{self._prefix}*")):
            await run("ip", "netns", "delete", path.name, check=False)
        await self._plumb.teardown()


def _forget(place: str) -> str:
    """A script that takes a network's name away; an ending process may have it open still."""
    return f"if [ -e {place} ]; then umount -l {place} || :; rm -f {place}; fi"
