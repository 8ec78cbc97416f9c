"""A machine's network cards as taps on the bridges of its host.

The tap is made by `lab/network/plumb.py`; the machine gets an open descriptor of it. So the
machine itself is in no network at all, and its taps can move between hosts while it runs.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct

from lab.engines.qemu.cards import Card
from lab.network.inside import made_in
from lab.network.plumb import Plumb
from lab.network.system import NAMESPACES

_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TAP, _NO_PACKET_INFO, _OFFLOADS = 0x0002, 0x1000, 0x4000


def _open(name: str) -> int:
    """A descriptor of a tap of this thread's network namespace."""
    descriptor = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        flags = _TAP | _NO_PACKET_INFO | _OFFLOADS
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Taps:
    """Taps of one lab's machines."""

    def __init__(self, plumb: Plumb) -> None:
        self._plumb = plumb

    async def connect(self, vmid: int, host: str, card: Card) -> int | None:
        """Plug a card in; its descriptor, which the caller closes. None for one without bridge."""
        if card.bridge is None:
            return None
        await self._plumb.attach(
            vmid, card.number, host, card.bridge, card.vlan, card.mac, card.firewall, None
        )
        namespace = NAMESPACES / self._plumb.namespace(host)
        return await asyncio.to_thread(
            made_in, namespace, lambda: _open(f"tap{vmid}i{card.number}")
        )

    async def change(self, vmid: int, host: str, card: Card) -> None:
        """Plug the tap of a card that stays into another network of its host."""
        if card.bridge is not None:
            await self._plumb.replug(vmid, card.number, host, card.bridge, card.vlan, card.firewall)

    async def disconnect(self, vmid: int, number: int) -> None:
        """Remove a tap; an absent one is no error."""
        await self._plumb.detach(vmid, number)

    async def disconnect_all(self, vmid: int) -> None:
        """Remove all taps of a machine."""
        numbers = sorted(port.nic for port in self._plumb.ports() if port.vmid == vmid)
        await asyncio.gather(*(self._plumb.detach(vmid, number) for number in numbers))

    async def move(self, vmid: int, host: str) -> None:
        """Plug all cards into another host's bridges while the machine goes on."""
        for port in [port for port in self._plumb.ports() if port.vmid == vmid]:
            await self._plumb.move(vmid, port.nic, host)

    def hosts(self, vmid: int) -> set[str]:
        """Where a machine's cards are plugged in."""
        return {port.host for port in self._plumb.ports() if port.vmid == vmid}
