"""When each guest may be cloned, so that nobody waits for a storage's lock until it fails.

Proxmox VE makes one volume of a storage at a time. Who waits ten seconds for the storage's lock
fails: other clones, and the cloud-init drive that comes with a guest's configuration, a second or
so after its clone. So the clones of a storage go one after the other, in a lane, and a lane gives
way before a drive has waited too long. See docs/decisions/0007.

No clock and no connection here: times are seconds of any clock, given with each call.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from plan.records import Guest

LATEST_S = 8.8
"""No clone starts whose end would find a drive that has waited longer: the last try for a shared
storage's lock is after nine seconds or (since pve-cluster 9.1) 9.9."""
PAUSE_S = 1.1
"""Whoever waits for a shared storage's lock tries once in this time."""
SLACK_S = 0.2
"""What a request may take on its way."""
ASKED_S = 1.0
"""The provider asks once in this time whether its clone is done; then comes the configuration."""
QUICK_S = 0.03
QUICK_AT_ONCE = 4
"""Clones so quick need no order."""
QUEUE_AT_ONCE = 2
"""On a storage of one host the next clone is there when the lock comes free."""
FULL_AT_ONCE = 4
"""Full clones hold the lock only to make the empty disk."""
UNSEEN_S = 30.0
"""A clone that nobody sees for so long was refused."""
BLIND_S = 5.0
"""Without a look at the cluster for so long, a guest goes when the one before is complete."""
BLIND_MOST_S = 120.0
SECOND_CHANCES = 5
REMEMBERED = 5
MARGIN = 1.2
"""A clone may take so many times as long as the longest of the last ones."""
STUCK_AFTER = 12
"""Lock errors in a lane without one clone between them, each after ten seconds, after which nobody
waits for that lock any more: with a hundred guests that would take hours."""
FINE_S = 0.02
FINE_MOST_S = 0.5
"""A clone that has not begun by then is not looked for so closely."""
AIM = 0.95
"""Part of the shortest time of the last clones after which an end is looked for closely."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A guest as the cluster lists it."""

    locked: bool
    tags: frozenset[str]


Sight = Mapping[int, Sighting]
"""All guests that the cluster lists, by VMID."""


def lane_of(guest: Guest) -> str:
    """The lane of a guest: its template's storage, for a storage of one host with the host."""
    template = guest.template
    return template.storage if template.shared else f"{template.host}/{template.storage}"


@dataclass(slots=True)
class _Clone:
    """A clone that was let go. `absent`, `seen`, `locked`: last look without the guest, first one
    with it, last one at which it was being cloned."""

    guest: Guest
    since: float
    absent: float
    seen: float | None = None
    locked: float | None = None

    def length(self, now: float) -> tuple[float, float]:
        """How long it took, and by how much that may be wrong; 0 if it was over at first sight."""
        if self.seen is None or self.locked is None:
            return 0.0, (now - self.absent) / 2
        begun, ended = (self.absent + self.seen) / 2, (self.locked + now) / 2
        return ended - begun, (self.seen - self.absent + now - self.locked) / 2


@dataclass(slots=True)
class _Settling:
    """A guest that is cloned, and whose drive may be waiting for the lock since then."""

    guest: Guest
    since: float
    ended: float
    chances: int = SECOND_CHANCES


@dataclass(slots=True)
class Lane:
    """The guests of one storage. `shared`: its lock is tried for again and again, so that it may
    go to whoever comes; else it is a queue. `pace` multiplies the cluster's waits."""

    shared: bool
    pace: float = 1.0
    waiting: deque[Guest] = field(default_factory=deque)
    cloning: dict[str, _Clone] = field(default_factory=dict)
    settling: dict[str, _Settling] = field(default_factory=dict)
    lock_errors: int = 0  # since a guest was cloned
    _lengths: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _asked: set[str] = field(default_factory=set)
    _again: set[str] = field(default_factory=set)
    _paused: float | None = None
    _looked: float | None = None

    @property
    def length(self) -> float | None:
        """How long a linked clone has usually taken; None before the first."""
        return median(length for length, _ in self._lengths) if self._lengths else None

    @property
    def longest(self) -> float:
        """How long the next linked clone may take."""
        return MARGIN * max((length for length, _ in self._lengths), default=0.0)

    @property
    def latest(self) -> float:
        """How long a drive may wait, in seconds of the clock."""
        return LATEST_S * self.pace

    @property
    def is_stuck(self) -> bool:
        """Whether somebody holds the storage's lock, and goes on holding it."""
        return self.lock_errors >= STUCK_AFTER

    def ask(self, guest: Guest) -> None:
        """A guest comes to the end of the lane; once more if its creation is tried again."""
        if guest.name in self._asked:
            self._again.add(guest.name)
        self._asked.add(guest.name)
        self.waiting.append(guest)

    def end(self, name: str) -> None:
        """A guest is complete, has failed, or does not want its turn any more."""
        self.cloning.pop(name, None)
        self.settling.pop(name, None)
        self.waiting = deque(guest for guest in self.waiting if guest.name != name)

    def look(self, sight: Sight, now: float) -> None:
        """Take in what the cluster lists."""
        self._looked = now
        for name, clone in list(self.cloning.items()):
            row = sight.get(clone.guest.vmid)
            if row is None:
                clone.absent = now
                if clone.seen is not None or now - clone.since > UNSEEN_S:
                    del self.cloning[name]  # it failed
            elif row.locked:
                clone.seen, clone.locked = clone.seen or now, now
            else:
                del self.cloning[name]
                self._cloned(clone, now)
        for name, settling in list(self.settling.items()):
            row = sight.get(settling.guest.vmid)
            if row is None or row.tags >= set(settling.guest.tags):
                del self.settling[name]  # gone, or configured

    def _cloned(self, clone: _Clone, now: float) -> None:
        self.lock_errors = 0
        length, doubt = clone.length(now)
        if clone.guest.clone == "full":
            return
        if doubt <= max(SLACK_S, length / 4) and clone.guest.name not in self._again:
            self._lengths.append((length, doubt))  # a guest that was there before tells nothing
        asked = 0 if length < QUICK_S else max(1, math.ceil((length - doubt) / ASKED_S))
        since = max(now, now - length - doubt + asked * ASKED_S)
        self.settling[clone.guest.name] = _Settling(clone.guest, since, now)

    def next(self, now: float) -> list[Guest]:
        """The guests whose turn has come; they are let go."""
        found: list[Guest] = []
        while not self.is_stuck and self.waiting and self._may_go(self.waiting[0], now):
            guest = self.waiting.popleft()
            self.cloning[guest.name] = _Clone(guest, now, now)
            found.append(guest)
        return found

    def _may_go(self, guest: Guest, now: float) -> bool:
        if self._is_blind(now):
            return self._is_empty(now)
        if any(clone.guest.clone != guest.clone for clone in self.cloning.values()):
            return False
        most = FULL_AT_ONCE if guest.clone == "full" else self._at_once()
        return len(self.cloning) < most and not self._gives_way(now)

    def _is_blind(self, now: float) -> bool:
        begun = [clone.since for clone in self.cloning.values()]
        begun += [settling.ended for settling in self.settling.values()]
        return bool(begun) and now - max(self._looked or 0.0, min(begun)) > BLIND_S

    def _is_empty(self, now: float) -> bool:
        """Whether the guests that were let go are complete, as far as anybody tells."""
        for name, clone in list(self.cloning.items()):
            if now - clone.since > BLIND_MOST_S:
                self.end(name)
        for name, settling in list(self.settling.items()):
            if now - settling.ended > BLIND_MOST_S:
                self.end(name)
        return not (self.cloning or self.settling)

    def _at_once(self) -> int:
        length = self.length
        if length is None:
            return 1
        if length < QUICK_S * self.pace:
            return QUICK_AT_ONCE
        return 1 if self.shared else max(1, min(QUEUE_AT_ONCE, int(self.latest / length) - 1))

    def _gives_way(self, now: float) -> bool:
        """Whether the next clone has to let drives go first.

        In a pause everybody who waits for the lock gets it, so who has not got it by the end of
        the pause was not waiting yet.
        """
        if not self.shared and self.longest * self._at_once() <= self.latest:
            return False  # a drive's turn comes after those that were there before it
        due = [each for each in self.settling.values() if self._is_due(each, now)]
        if not due:
            self._paused = None
            return False
        if self._paused is None:
            self._paused = now
        for each in due:
            if now - max(self._paused, each.since) <= PAUSE_S * self.pace + SLACK_S:
                return True
        for each in due:
            each.since, each.chances = now, each.chances - 1
            if each.chances == 0:
                del self.settling[each.guest.name]
        self._paused = None
        return False

    def _is_due(self, settling: _Settling, now: float) -> bool:
        return max(now - settling.since, 0.0) + self.longest > self.latest

    def pause(self, now: float) -> float:
        """Seconds until a look at the cluster can tell something new."""
        begins = any(
            clone.seen is None and now - clone.since < FINE_MOST_S
            for clone in self.cloning.values()
        )
        if begins or not self.cloning or not self._lengths:
            return FINE_S
        first = min(clone.absent for clone in self.cloning.values())
        shortest = min(length - doubt for length, doubt in self._lengths)
        return max(FINE_S, first + AIM * shortest - now)


class Lanes:
    """All lanes of an event; guests by name."""

    def __init__(self, guests: Iterable[Guest], *, pace: float = 1.0) -> None:
        self._guests = {guest.name: guest for guest in guests}
        self.lanes = {
            lane_of(guest): Lane(shared=guest.template.shared, pace=pace)
            for guest in self._guests.values()
        }

    def _lane(self, name: str) -> Lane:
        return self.lanes[lane_of(self._guests[name])]

    @property
    def waiting(self) -> bool:
        """Whether any guest waits for its turn."""
        return any(lane.waiting for lane in self.lanes.values())

    def ask(self, name: str) -> None:
        """A guest wants to be cloned. KeyError for a guest that is not of the event."""
        self._lane(name).ask(self._guests[name])

    def end(self, name: str) -> None:
        """A guest has failed, or does not want its turn any more."""
        self._lane(name).end(name)

    def made(self, name: str) -> None:
        """A guest is complete."""
        self._lane(name).lock_errors = 0
        self.end(name)

    def met_lock(self, name: str) -> None:
        """A guest's clone could not have its storage's lock."""
        self._lane(name).lock_errors += 1

    def behind_stuck(self, name: str) -> list[str]:
        """Whom a lock that nobody gets sends away: all that wait in a guest's lane, and itself;
        nobody while the lane goes on."""
        lane = self._lane(name)
        return [name, *(guest.name for guest in lane.waiting)] if lane.is_stuck else []

    def storage(self, name: str) -> str:
        """The storage whose lock a guest's clone needs."""
        return self._guests[name].template.storage

    def look(self, sight: Sight, now: float) -> None:
        """Take in what the cluster lists."""
        for lane in self.lanes.values():
            lane.look(sight, now)

    def next(self, now: float) -> list[str]:
        """Names of the guests whose turn has come; they are let go."""
        return [guest.name for lane in self.lanes.values() for guest in lane.next(now)]

    def pause(self, now: float) -> float:
        """Seconds until a look at the cluster can tell something new."""
        return min((lane.pause(now) for lane in self.lanes.values() if lane.waiting), default=1.0)
