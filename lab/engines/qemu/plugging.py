"""Changes of a machine that runs: cards and drives that are plugged in, out, or elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from typing import Any

from lab.engines.qemu import command, drives, places
from lab.engines.qemu.cards import Card, cards
from lab.engines.qemu.drives import Medium
from lab.engines.qemu.monitor import Monitor
from lab.engines.qemu.taps import Taps
from lab.errors import TaskError

UNPLUG_S = 60.0
Config = dict[str, Any]


class Plugging:
    """Brings one machine, on `host`, from one configuration to the next."""

    def __init__(self, vmid: int, host: str, monitor: Monitor, taps: Taps) -> None:
        self._vmid, self._host, self._monitor, self._taps = vmid, host, monitor, taps

    async def cards(self, before: Config, after: Config) -> None:
        """Network cards: one that stays the same device is only plugged in elsewhere."""
        old = {card.number: card for card in cards(before)}
        new = {card.number: card for card in cards(after)}
        for number in sorted(old.keys() | new.keys()):
            was, now = old.get(number), new.get(number)
            if was is not None and (now is None or was.device != now.device):
                await self._unplug_card(number)
                was = None
            if now is None:
                continue
            if was is None:
                await self._plug_card(now, command.kind_of(after))
            elif was.socket != now.socket:
                await self._taps.change(self._vmid, self._host, now)
            if (was is None or was.connected) != now.connected:
                await self.link(now)

    async def link(self, card: Card) -> None:
        """Put a card's cable in, or pull it out."""
        await self._monitor.order("set_link", name=f"net{card.number}", up=card.connected)

    async def _plug_card(self, card: Card, kind: str) -> None:
        name = f"net{card.number}"
        tap = await self._taps.connect(self._vmid, self._host, card)
        try:
            if tap is None:
                await self._monitor.order("netdev_add", type="hubport", id=name, hubid=card.number)
            else:
                await self._monitor.give(f"tap{card.number}", tap)
                await self._monitor.order(
                    "netdev_add", type="tap", id=name, fd=f"tap{card.number}", vhost=False
                )
            await self._monitor.order("device_add", **command.card_device(card, kind))
        except TaskError:
            await self._remove_network(card.number)
            raise
        finally:
            if tap is not None:
                os.close(tap)

    async def _unplug_card(self, number: int) -> None:
        await self._unplug(f"net{number}")
        await self._remove_network(number)

    async def _remove_network(self, number: int) -> None:
        with contextlib.suppress(TaskError):
            await self._monitor.order("netdev_del", id=f"net{number}")
        await self._taps.disconnect(self._vmid, number)

    async def _unplug(self, name: str) -> None:
        await self._monitor.order("device_del", id=name)
        if not await self._monitor.device_gone(name, UNPLUG_S):
            raise TaskError(f"the guest does not let go of '{name}'")

    async def drives(
        self, before: Mapping[str, Medium], after: Mapping[str, Medium], config: Config
    ) -> None:
        """Drives: media of those for CDs are changed, disks plugged in and out."""
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key), after.get(key)
            if was == now:
                continue
            if was and now and was.cdrom and now.cdrom:
                await self._change_medium(key, now)
                continue
            if was is not None:
                await self._unplug(key)
                await self._remove_node(key)
            if now is not None:
                await self._plug_drive(key, now, config)

    async def _plug_drive(self, key: str, medium: Medium, config: Config) -> None:
        kind = command.kind_of(config)
        there = {each["name"] for each in await self._listed()}
        for controller in drives.controllers(config, [key], places.ROOT[kind]):
            if controller["id"] not in there:
                await self._monitor.order("device_add", **controller)
        if medium.file is not None:
            await self._add_node(key, medium)
        try:
            await self._monitor.order("device_add", **drives.device(key, medium, config, kind))
        except TaskError:
            await self._remove_node(key)
            raise

    async def _listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._monitor.order(
            "qom-list", path="/machine/peripheral"
        )
        return found

    async def _change_medium(self, key: str, medium: Medium) -> None:
        await self._monitor.order("blockdev-open-tray", id=key, force=True)
        # A guest that has not locked its tray opens it at once, another one after a moment.
        for _ in range(int(UNPLUG_S / 0.1)):
            with contextlib.suppress(TaskError):
                await self._monitor.order("blockdev-remove-medium", id=key)
                break
            await asyncio.sleep(0.1)
        await self._remove_node(key)
        if medium.file is not None:
            await self._add_node(key, medium)
            name = drives.node_name(key)
            await self._monitor.order("blockdev-insert-medium", id=key, **{"node-name": name})
        await self._monitor.order("blockdev-close-tray", id=key)

    async def _add_node(self, key: str, medium: Medium) -> None:
        await self._monitor.order("blockdev-add", **drives.node(key, medium))

    async def _remove_node(self, key: str) -> None:
        with contextlib.suppress(TaskError):  # an empty drive has none
            await self._monitor.order("blockdev-del", **{"node-name": drives.node_name(key)})
