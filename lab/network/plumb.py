"""Plumbing of the lab: hosts as namespaces, a bridge for each VLAN, a trunk for each of them to a
switch, and the guests' cards.

Everything is in namespaces of this lab; no link of the machine is touched. The kernel keeps all
of it while the lab is down: a lab that starts again finds its hosts and cards by their names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.network import lines, system
from lab.network.names import Key, Namespaces, Port, network_link, own_mac, port_of, trunk_link
from lab.network.system import NetworkError

GONE_S = 10.0
"""How long the name of a card may stay taken after the namespace of its guest has gone."""

Guard = Callable[[str, list[Port]], Awaitable[None]]
"""Puts the packet filter of a host in place, given all cards on it."""

Settle = Callable[[str, str, str], Awaitable[None]]
"""Gives a host's leg in a network what it shall have: the host, its bridge, the leg."""


class Plumb:
    """The networks of one lab.

    `state` is the lab's folder, from which all names follow. `guard` is called before a card with
    a firewall can send its first packet, and after cards have gone; `settle` before the first card
    of a network on a host.
    """

    def __init__(
        self, state: Path, guard: Guard | None = None, settle: Settle | None = None
    ) -> None:
        self.names = Namespaces(state)
        self.guard = guard
        self.settle = settle
        self.torn: Callable[[], None] | None = None  # called when everything has gone
        self._ports: dict[Key, Port] = {}
        self._known: set[str] = set()  # hosts that are there
        self._networks: dict[str, set[str]] = {}  # host -> its bridges
        self._switch: set[str] = set()  # the switch's bridges
        self._change = asyncio.Lock()  # of what several cards share
        self._guarding: dict[str, asyncio.Lock] = {}  # host -> one load of its rules at a time

    def namespace(self, host: str) -> str:
        """The name of a host's namespace, below /run/netns."""
        return self.names.host(host)

    def ports(self, host: str | None = None) -> list[Port]:
        """The cards on a host, or on all."""
        return [port for port in self._ports.values() if host in (None, port.host)]

    def hosts(self) -> frozenset[str]:
        """Hosts that are there."""
        return frozenset(self._known)

    async def ensure_hosts(self, hosts: Iterable[str]) -> None:
        """Make the switch and these hosts, as far as they are not there; learn what they hold."""
        async with self._change:
            await self._ensure_hosts([host for host in hosts if host not in self._known])

    async def _ensure_hosts(self, new: list[str]) -> None:
        if not new:
            return
        if not self._known:
            await system.ensure_bridge_filter()
            await system.make(self.names.switch, lines.HOST_SETTINGS)
            found = await system.links(self.names.switch)
            self._switch = {link["ifname"] for link in found if _kind(link) == "bridge"}
        await asyncio.gather(
            *(system.make(self.namespace(host), lines.HOST_SETTINGS) for host in new)
        )
        for host in new:
            await self._learn(host)
            self._known.add(host)
        await asyncio.gather(*(self._guard(host) for host in new))

    async def _learn(self, host: str) -> None:
        """What a host has from before."""
        found = await system.links(self.namespace(host))
        up = {link["ifname"] for link in found if "LOWER_UP" in link["flags"]}
        bridges = {link["ifname"] for link in found if _kind(link) == "bridge"}
        self._networks[host] = {name for name in bridges if trunk_link(name) in up}
        for name in bridges - self._networks[host]:  # somebody was killed in the middle
            await self._delete(self.namespace(host), trunk_link(name))
            await self._delete(self.namespace(host), name)
        for link in found:
            name, alias = link["ifname"], link.get("ifalias", "")
            port = port_of(host, name, alias)
            if port is not None and link.get("master"):
                self._ports[port.key] = port
            if name in self._networks[host] and alias.startswith(lines.NETWORK):
                await self._settle(host, alias.split()[1], name)

    async def attach(
        self,
        vmid: int,
        nic_index: int,
        host: str,
        bridge: str,
        vlan: int | None,
        mac: str,
        firewall: bool,
        netns: str | int | None,
    ) -> None:
        """Plug a guest's card in: `eth<nic_index>` in its namespace, down, with its address.

        `netns` is a name below /run/netns or the id of a process in it; None makes a tap
        `tap<vmid>i<nic_index>` in the host's namespace instead, for an emulator there. A card
        that is there is plugged out first. `NetworkError` if the system refuses.
        """
        port = Port(
            vmid=vmid, nic=nic_index, host=host, bridge=bridge, vlan=vlan, mac=mac,
            firewall=firewall,
        )  # fmt: skip
        await self.ensure_hosts([host])
        await self.detach(vmid, nic_index)
        async with self._change:
            await self._ensure_network(host, bridge, vlan)
        made = lines.card(port, netns)
        await self._make_card(port, made if firewall else [*made, *lines.joined(port)])
        self._ports[port.key] = port
        if firewall:
            await self._guard(host)
            await system.ip_batch(self.namespace(host), lines.joined(port))

    async def attach_trunk(
        self, vmid: int, nic_index: int, vlans: Iterable[int], netns: str
    ) -> None:
        """Give a card that is plugged in legs in other VLANs of its bridge, `vlan<N>` beside it in
        its namespace: each is what a VLAN interface on it would be, and has no firewall."""
        card = self._ports[vmid, nic_index, 0]
        for vlan in sorted(set(vlans) - {card.vlan}):
            # An address of its own: cloud-init takes two cards with one for a mistake.
            mac = own_mac(f"{card.mac}/{vlan}")
            leg = replace(card, vlan=vlan, mac=mac, firewall=False, trunk=True)
            async with self._change:
                await self._ensure_network(leg.host, leg.bridge, vlan)
            await self._make_card(leg, [*lines.card(leg, netns), *lines.joined(leg)])
            self._ports[leg.key] = leg

    async def _make_card(self, port: Port, made: list[str]) -> None:
        """Run the lines that make a card, and those after it; patient with a name that is taken."""
        namespace, loop = self.namespace(port.host), asyncio.get_running_loop()
        until = loop.time() + GONE_S
        while True:
            try:
                await system.ip_batch(namespace, made)
                return
            except NetworkError as error:
                if "File exists" not in str(error) or loop.time() > until:
                    raise
            await self._delete(namespace, port.link)
            await asyncio.sleep(0.05)

    async def _ensure_network(self, host: str, bridge: str, vlan: int | None) -> None:
        """The bridge of a VLAN on a host, its trunk, and the VLAN in the switch."""
        link = network_link(bridge, vlan)
        if link in self._networks[host]:
            return
        switch = self.names.switch
        await system.ip_batch(self.namespace(host), lines.network(host, bridge, link, switch))
        new = [] if link in self._switch else lines.switch_bridge(link)
        await system.ip_batch(switch, [*new, lines.switch_leg(host, link)])
        self._switch.add(link)
        self._networks[host].add(link)
        await self._settle(host, bridge, link)

    async def _guard(self, host: str) -> None:
        if self.guard is not None:
            async with self._guarding.setdefault(host, asyncio.Lock()):
                await self.guard(host, self.ports(host))

    async def _settle(self, host: str, bridge: str, link: str) -> None:
        if self.settle is not None:
            await self.settle(host, bridge, link)

    async def guard_all(self) -> None:
        """Put the packet filters of all hosts in place again."""
        await asyncio.gather(*(self._guard(host) for host in sorted(self._known)))

    async def detach(self, vmid: int, nic_index: int) -> None:
        """Pull a guest's card out, with its trunk; one that went with its namespace is no error."""
        for port in self._of(vmid, nic_index):
            del self._ports[port.key]
            await self._delete(self.namespace(port.host), port.link)
            if port.firewall:
                await self._guard(port.host)

    def _of(self, vmid: int, nic_index: int) -> list[Port]:
        """A card, and the legs of its trunk."""
        return [port for port in self._ports.values() if port.key[:2] == (vmid, nic_index)]

    async def _delete(self, namespace: str, link: str) -> None:
        try:
            await system.ip_batch(namespace, [f"link delete {link}"])
        except NetworkError as error:
            if "Cannot find device" not in str(error):
                raise

    async def move(self, vmid: int, nic_index: int, host: str) -> None:
        """Bring a card to another host while its guest goes on: a live migration."""
        for port in self._of(vmid, nic_index):
            await self._replug(replace(port, host=host))

    async def replug(
        self, vmid: int, nic_index: int, host: str, bridge: str, vlan: int | None, firewall: bool
    ) -> None:
        """Plug a card that stays, such as an emulator's tap, into another network."""
        old = self._ports[vmid, nic_index, 0]
        new = replace(old, host=host, bridge=bridge, vlan=vlan, firewall=firewall)
        await self._replug(new)

    async def _replug(self, new: Port) -> None:
        old = self._ports[new.key]
        if old == new:
            return
        await self.ensure_hosts([new.host])
        async with self._change:
            await self._ensure_network(new.host, new.bridge, new.vlan)
        self._ports[new.key] = new
        if new.firewall:
            await self._guard(new.host)
        away = [f"link set {old.link} nomaster"]
        target = self.namespace(new.host)
        if old.host != new.host:
            away.append(f"link set {old.link} netns {target}")
        await system.ip_batch(self.namespace(old.host), away)
        alias = f'link set {new.link} alias "{new.alias()}"'
        await system.ip_batch(target, [alias, *lines.joined(new)])
        if old.firewall:
            await self._guard(old.host)

    async def reconcile(self, alive: Iterable[int]) -> None:
        """After a restart: take over the cards of guests that are alive, remove the others'."""
        kept = set(alive)
        hosts = [
            name.removeprefix(self.names.prefix)
            for name in system.present(self.names.prefix)
            if name not in (self.names.switch, self.names.outside)
        ]
        await self.ensure_hosts(hosts)
        gone = [port for port in self.ports() if port.vmid not in kept]
        for port in gone:
            del self._ports[port.key]
            await self._delete(self.namespace(port.host), port.link)
        await self.guard_all()

    async def traffic(self) -> dict[str, tuple[int, int]]:
        """Bytes by card, as its guest sees them: name of the link -> (received, sent)."""
        figures: dict[str, tuple[int, int]] = {}
        for host in sorted(self._known):
            for link in await system.links(self.namespace(host)):
                if port_of(host, link["ifname"], link.get("ifalias", "")):
                    counted = link["stats64"]
                    figures[link["ifname"]] = (counted["tx"]["bytes"], counted["rx"]["bytes"])
        return figures

    async def teardown(self) -> None:
        """Remove every namespace of this lab, and so all links and rules in them."""
        async with self._change:
            for name in system.present(self.names.prefix):
                await system.remove(name)
            self._ports.clear()
            self._known.clear()
            self._networks.clear()
            self._switch.clear()
            if self.torn is not None:
                self.torn()


def _kind(link: dict[str, Any]) -> str:
    return str(link.get("linkinfo", {}).get("info_kind", ""))
