"""What running guests use, read from the kernel's counters when somebody asks."""

from __future__ import annotations

import time
from typing import Any

from lab.engines.base import Figures
from lab.engines.lxc.groups import Limits
from lab.engines.lxc.inside import Container
from lab.guests.nets import is_net

SHORTEST_S = 1.0
"""A share of time over less than this says nothing; the one before is told again."""


class Usage:
    """Figures of one lab's guests; remembers the last counter of each for its share of time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: dict[int, tuple[float, int, float]] = {}

    def figures(self, container: Container, cores: int, config: dict[str, Any]) -> Figures:
        """The figures now."""
        vmid = container.vmid
        return Figures(
            cpu=self._share(container, cores),
            memory=self._limits.memory(vmid) or _value(container, "memory.current"),
            nics=_traffic(container, vmid, config),
        )

    def _share(self, container: Container, cores: int) -> float:
        used, now = _value(container, "cpu.stat", "usage_usec"), time.monotonic()
        then, before, share = self._last.get(container.vmid, (0.0, 0, 0.0))
        if now - then >= SHORTEST_S:
            share = (used - before) / 1e6 / (now - then) / cores if then else 0.0
            share = min(max(share, 0.0), 1.0)
            self._last[container.vmid] = (now, used, share)
        return share

    def forget(self, vmid: int) -> None:
        """The guest is off."""
        self._last.pop(vmid, None)


def _value(container: Container, name: str, key: str = "") -> int:
    try:
        for line in (container.group / name).read_text().splitlines():
            words = line.split()
            if words[:-1] == ([key] if key else []):
                return int(words[-1])
    except (OSError, ValueError):
        pass
    return 0


def _traffic(container: Container, vmid: int, config: dict[str, Any]) -> dict[str, tuple[int, int]]:
    figures = {f"tap{vmid}i{key[3:]}": (0, 0) for key in config if is_net(key)}
    try:
        with open(f"/proc/{container.init}/net/dev") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return figures
    for line in lines:
        name, _, rest = line.partition(":")
        card = f"tap{vmid}i{name.strip().removeprefix('eth')}"
        if card in figures:
            columns = rest.split()
            figures[card] = (int(columns[0]), int(columns[8]))
    return figures
