"""The firewall of the lab's hosts: what the API was told, in force where packets pass.

Rules are loaded before a card with a firewall sends its first packet, and again a moment after
the settings have changed (Proxmox VE looks for changes every ten seconds).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lab.firewall.card import card_of
from lab.firewall.counters import counters
from lab.firewall.journal import Journal
from lab.firewall.nft import ruleset
from lab.network import system
from lab.network.names import Namespaces, Port
from lab.network.plumb import Plumb
from lab.network.services import Services

if TYPE_CHECKING:
    from lab.app import Lab

LOOK_S = 0.2
"""How often changed settings are looked for."""

_log = logging.getLogger(__name__)


class LabNetwork:
    """Plumbing of a lab with its firewall: `plumb` for engines, `journal` for the API."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._names = Namespaces(lab.settings.state)
        self.services = Services(self._names, lab.store.get("option", "services") or {})
        self.plumb = Plumb(lab.settings.state, self._guard, self.services.settle)
        self.plumb.torn = self._forget
        self.journal = Journal(lab.settings.state / "firewall")
        self._loaded: dict[str, str] = {}  # host -> its rules
        self._links: dict[str, set[str]] = {}  # host -> cards that its rules are about
        self._watch: asyncio.Task[None] | None = None

    async def counters(self) -> list[dict[str, Any]]:
        """What passed and what was dropped at each card, as `lab.firewall.counters` has it."""
        return await counters(self._names, self.plumb.hosts())

    async def _guard(self, host: str, ports: list[Port]) -> None:
        """Load a host's rules if they differ from those in force."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._follow())
        rows = dict(self._lab.store.items("firewall"))
        guarded = {port.link for port in ports if card_of(port, rows)}
        text = ruleset(ports, rows)
        if self._loaded.get(host) == text:
            return
        namespace = self._names.host(host)
        await self.journal.listen(host, system.NAMESPACES / namespace)
        gone = self._links.get(host, set()) - guarded
        await system.nft(namespace, ruleset(ports, rows, gone))
        self._loaded[host], self._links[host] = text, guarded

    async def _follow(self) -> None:
        """Take over changed settings."""
        seen = self._lab.store.generation_of("firewall")
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._lab.store.generation_of("firewall")
            if now == seen:
                continue
            seen = now
            try:
                await self.plumb.guard_all()
            except (system.NetworkError, OSError) as error:
                _log.error("the firewall's rules could not be loaded: %s", error)

    def _forget(self) -> None:
        """All networks have gone; the log stays with the lab's folder."""
        self.services.close()
        self.journal.close()
        self._loaded.clear()
        self._links.clear()

    async def close(self) -> None:
        """Stop following; the rules stay in force, as the guests stay."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        self.services.close()
        self.journal.close()


def network_of(lab: Lab) -> LabNetwork:
    """The network of a lab, made at its first use; nothing of the system is touched by that."""
    if lab.network is None:
        lab.network = LabNetwork(lab)
    return lab.network
