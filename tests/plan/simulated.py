"""A storage's lock on a virtual clock, with Proxmox VE's rules, and a provider that clones guests.

Its rules are written down here once more, apart from the lab's, in steps of a hundredth second.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from plan.lanes import Lanes, Sighting
from plan.records import Guest

STEP_S = 0.01
MOST_S = 1000.0
LIMIT_S = 10.0


def retries(*, shortening: bool) -> list[float]:
    """When a shared storage's lock is tried for, in seconds since the first try."""
    if not shortening:  # before pve-cluster 9.1
        return [float(second) for second in range(10)]
    tries, at = [0.0], 0.0
    while True:
        pause = min(max(10 - int(at), 1), 10) / 10
        if int(at + pause + 1e-6) >= LIMIT_S:
            return tries
        at += pause
        tries.append(at)


@dataclass(slots=True)
class Waiter:
    """Somebody who wants the lock: what for, since when, and when to try next."""

    name: str
    drive: bool
    since: float
    tries: list[float]


@dataclass(slots=True)
class Storage:
    """One storage and the guests on it."""

    lanes: Lanes
    guests: dict[str, Guest]
    clone_s: Callable[[], float]
    shared: bool
    delay: Callable[[], float]
    shortening: bool = True
    now: float = 0.0
    waiters: list[Waiter] = field(default_factory=list)
    holder: tuple[str, float] | None = None
    posts: dict[str, float] = field(default_factory=dict)
    drives: dict[str, float] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    tagged: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)  # nobody asks for their drives
    failed: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    most: int = 0
    longest_drive: float = 0.0

    def run(self) -> float:
        """Build all guests; the seconds until the last clone was made."""
        look, cloned = 0.0, 0.0
        for name in self.guests:
            self.lanes.ask(name)
        while len(self.tagged) + len(self.failed) < len(self.guests):
            assert self.now < MOST_S, "it does not end"
            for name in self.lanes.next(self.now):
                self.posts[name] = self.now + self.delay()
                self.order.append(name)
            if self._step():
                cloned = self.now
            if self.now >= look and self.lanes.waiting:
                self.lanes.look(self._sight(), self.now)
                look = self.now + min(self.lanes.pause(self.now), 0.25)
            self.now += STEP_S
        return cloned

    def _step(self) -> bool:
        ended = self.holder is not None and self.now >= self.holder[1]
        if self.holder is not None and ended:
            name = self.holder[0]
            self.holder = None
            self.locked.discard(name)
            posted = self.posts[name]
            asked = posted + int(self.now - posted + 1)
            self.drives[name] = asked + self.delay()
        for name, at in self.posts.items():
            known = self.locked | self.drives.keys() | self.tagged | set(self.failed)
            if self.now >= at and name not in known:
                self.locked.add(name)
                self._come(name, drive=False)
        for name, at in list(self.drives.items()):
            if self.now < at or name in self.tagged or name in self.failed:
                continue
            if name in self.silent:
                self.failed.append(name)
            elif not any(each.name == name for each in self.waiters):
                self._come(name, drive=True)
        self._serve()
        self.most = max(self.most, len(self.locked))
        return ended

    def _come(self, name: str, *, drive: bool) -> None:
        tries = [self.now + each for each in retries(shortening=self.shortening)]
        self.waiters.append(Waiter(name, drive, self.now, tries))

    def _serve(self) -> None:
        for waiter in list(self.waiters):
            tried = not self.shared
            while self.shared and waiter.tries and self.now >= waiter.tries[0]:
                tried = True
                del waiter.tries[0]
            if tried and self.holder is None:
                self.waiters.remove(waiter)
                self._take(waiter)
            elif (not waiter.tries) if self.shared else self.now - waiter.since >= LIMIT_S:
                self.waiters.remove(waiter)
                self.failed.append(waiter.name)
                self.locked.discard(waiter.name)
                self.lanes.end(waiter.name)

    def _take(self, waiter: Waiter) -> None:
        if waiter.drive:
            self.tagged.add(waiter.name)
            self.longest_drive = max(self.longest_drive, self.now - waiter.since)
        else:
            self.holder = (waiter.name, self.now + self.clone_s())

    def _sight(self) -> dict[int, Sighting]:
        there = self.locked | self.drives.keys()
        return {
            guest.vmid: Sighting(
                locked=name in self.locked,
                tags=frozenset(guest.tags) if name in self.tagged else frozenset(),
            )
            for name, guest in self.guests.items()
            if name in there
        }


def jitter(seed: int, usual: float, spread: float) -> Callable[[], float]:
    """Times around a usual one."""
    chance = random.Random(seed)
    return lambda: usual * chance.uniform(1 - spread, 1 + spread)
