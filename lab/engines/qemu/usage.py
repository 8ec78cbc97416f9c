"""What running machines use: from the kernel's counters, and from QEMU's for their disks."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.engines.base import Figures
from lab.engines.lxc.settings import cores, memory_mib
from lab.engines.qemu.monitor import Monitor
from lab.engines.qemu.process import Process
from lab.errors import TaskError
from lab.guests.nets import is_net
from lab.network.inside import made_in

SHORTEST_S = 1.0
"""Figures that are younger than this are told again."""


@dataclass(slots=True)
class _Seen:
    """What was last seen of one machine."""

    at: float = 0.0
    used_us: int = 0
    share: float = 0.0
    disk: tuple[int, int] = (0, 0)
    asked: float = 0.0
    work: asyncio.Task[None] | None = field(default=None, repr=False)


class Usage:
    """Figures of one lab's machines."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._traffic: dict[Path, tuple[float, dict[str, tuple[int, int]]]] = {}

    def figures(
        self, process: Process, monitor: Monitor, config: dict[str, Any], hosts: set[Path]
    ) -> Figures:
        """The figures now; `hosts` are the namespaces that its taps are in."""
        vmid = process.vmid
        seen = self._seen.setdefault(vmid, _Seen())
        self._ask(seen, monitor)
        taps = {f"tap{vmid}i{key[3:]}": (0, 0) for key in config if is_net(key)}
        for host in hosts:
            found = self._traffic_of(host)
            taps |= {name: found[name] for name in taps if name in found}
        return Figures(
            cpu=self._share(process, seen, config),
            memory=min(_resident(process.pid), memory_mib(config) << 20),
            disk_read=seen.disk[0],
            disk_write=seen.disk[1],
            nics=taps,
        )

    def _share(self, process: Process, seen: _Seen, config: dict[str, Any]) -> float:
        used, now = _used_us(process), time.monotonic()
        if now - seen.at >= SHORTEST_S:
            passed = (now - seen.at) * cores(config)
            share = (used - seen.used_us) / 1e6 / passed if seen.at else 0.0
            seen.at, seen.used_us, seen.share = now, used, min(max(share, 0.0), 1.0)
        return seen.share

    def _ask(self, seen: _Seen, monitor: Monitor) -> None:
        """Have the disks' counters ready for the next time."""
        busy = seen.work is not None and not seen.work.done()
        if busy or time.monotonic() - seen.asked < SHORTEST_S:
            return

        async def ask() -> None:
            try:
                found = [each["stats"] for each in await monitor.order("query-blockstats")]
            except TaskError:
                return  # the machine ends
            seen.disk = (
                sum(int(each["rd_bytes"]) for each in found),
                sum(int(each["wr_bytes"]) for each in found),
            )

        seen.asked = time.monotonic()
        seen.work = asyncio.get_running_loop().create_task(ask())

    def _traffic_of(self, host: Path) -> dict[str, tuple[int, int]]:
        at, found = self._traffic.get(host, (0.0, {}))
        if time.monotonic() - at >= SHORTEST_S:
            found = _traffic(host)
            self._traffic[host] = (time.monotonic(), found)
        return found

    def forget(self, vmid: int) -> None:
        """The guest is off."""
        seen = self._seen.pop(vmid, None)
        if seen is not None and seen.work is not None:
            seen.work.cancel()


def _used_us(process: Process) -> int:
    try:
        for line in (process.group / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _resident(pid: int | None) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def _traffic(host: Path) -> dict[str, tuple[int, int]]:
    """Bytes by link of a namespace, as guests see them: (received, sent)."""
    found: dict[str, tuple[int, int]] = {}

    def look() -> None:
        try:
            lines = made_in(host, Path("/proc/thread-self/net/dev").read_text).splitlines()[2:]
        except OSError:
            return
        for line in lines:
            name, _, rest = line.partition(":")
            columns = rest.split()
            found[name.strip()] = (int(columns[8]), int(columns[0]))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found
