"""When guests answer: every agent through the API, SSH of every head in its own network.

Both are asked one after the other, and again until they answer: to the last answer that is the
same, and what is measured is hardly disturbed.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.processes import BenchError
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.inside import Container
from lab.network.inside import made_in
from operate.api import Api, ApiError
from plan.records import Guest

AGAIN_S = 0.5
BANNER = b"SSH-2.0"
PATIENCE_S = 5.0


@dataclass(slots=True)
class Answers:
    """Who has answered so far: `heads` and `agents` are seconds from `begun` to the last answer,
    set once all have; `memory_mib` is the most that the machine had in use beyond the begin."""

    state: Path  # of the lab
    guests: Sequence[Guest]
    api: Callable[[], Api | None]  # none while there is no lab
    begun: float = field(default_factory=time.perf_counter)
    heads: float | None = None
    agents: float | None = None
    memory_mib: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to ask."""
        works = (self._ask_heads, self._ask_agents, self._follow_memory)
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def wait(self, limit_s: float) -> None:
        """Until all have answered; `BenchError` after so many seconds from the begin."""
        while self.heads is None or self.agents is None:
            if time.perf_counter() - self.begun > limit_s:
                self.stop()
                raise BenchError(f"not all guests answered within {limit_s:g} s")
            time.sleep(AGAIN_S)
        self.stop()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _until(self, answers: Callable[[], bool]) -> bool:
        """Whether it came to be so before the end."""
        while not answers():
            if self._over.wait(AGAIN_S):
                return False
        return True

    def _ask_heads(self) -> None:
        holder = Holder(self.state / "guests")
        heads = [guest for guest in self.guests if guest.exposed and guest.cluster]
        if self._until(holder.adopt) and all(
            self._until(partial(greets, holder, guest.vmid)) for guest in heads
        ):
            self.heads = time.perf_counter() - self.begun

    def _ask_agents(self) -> None:
        if all(self._until(partial(self._pings, guest)) for guest in self.guests):
            self.agents = time.perf_counter() - self.begun

    def _pings(self, guest: Guest) -> bool:
        api = self.api()
        try:
            if api is not None:
                api.post(f"/nodes/{guest.host}/qemu/{guest.vmid}/agent/ping")
                return True
        except ApiError:
            pass
        return False

    def _follow_memory(self) -> None:
        before = available_mib()
        while not self._over.wait(AGAIN_S):
            self.memory_mib = max(self.memory_mib, before - available_mib())


def greets(holder: Holder, vmid: int) -> bool:
    """Whether a guest's SSH server says its name."""
    try:
        init = Container(holder, vmid).init
        if init is None:
            return False
        there = made_in(
            Path(f"/proc/{init}/ns/net"),
            lambda: socket.create_connection(("127.0.0.1", 22), PATIENCE_S),
        )
        with there:
            return there.recv(len(BANNER)) == BANNER
    except OSError:
        return False


def available_mib() -> float:
    """Memory that is free or can be freed, in MiB."""
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) / 1024
