"""Relief: which hosts take over the guests of drained ones, evenly and without regard to others.

Who takes over is decided cluster by cluster in the order of their numbers: of the hosts that a
cluster does not use, the one that has taken over least for the clusters before it. They are
counted as if they were all there and all alike, so that retiring one, or an override in it,
moves no guest of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from plan.wheel import Wheel


def home(wheel: Wheel, cluster: int, seat: int, homes: Sequence[int]) -> int:
    """Host whose turn it is, or the next one that fewest of the cluster's homes are on."""
    turn = wheel.turn(cluster, seat)
    host = wheel.turns[turn % len(wheel.turns)]
    if host not in homes:
        return host
    return min(wheel.hosts_from(turn), key=homes.count)


class Relief:
    """Hosts for guests that cannot be at home. Ask for clusters in ascending order."""

    def __init__(self, wheel: Wheel, usable: frozenset[int]) -> None:
        self._wheel = wheel
        self._usable = usable
        self._taken_over = dict.fromkeys(wheel.turns, 0)
        self._done = 0  # number of the last cluster that is counted

    def candidates(self, cluster: int, seat: int, used: Sequence[int]) -> list[int]:
        """Hosts for a node, the preferred one first; `used` are those of its cluster's others.

        Only those that fewest of the others are on come in question.
        """
        if not self._usable.issuperset(self._wheel.turns):
            for number in range(self._done + 1, cluster):
                self._count(number)
        self._done = max(self._done, cluster - 1)
        return self.choice(cluster, seat, used, self._usable, self._taken_over)

    def choice(
        self,
        cluster: int,
        seat: int,
        used: Sequence[int],
        usable: frozenset[int],
        taken_over: dict[int, int],
    ) -> list[int]:
        """The same among some hosts, given how many guests each has taken over already."""
        turn = self._wheel.turn(cluster, seat)
        free = [host for host in self._wheel.hosts_from(turn) if host in usable]
        unused = [host for host in free if host not in used]
        if not unused and free:
            least = min(used.count(host) for host in free)
            unused = [host for host in free if used.count(host) == least]
        return sorted(unused, key=taken_over.__getitem__)

    def _count(self, cluster: int) -> None:
        """Count what hosts take over for a cluster without an override."""
        homes: list[int] = []
        for seat in range(self._wheel.nodes):
            homes.append(home(self._wheel, cluster, seat, homes))
        used = [host for host in homes if host in self._usable]
        for seat, host in enumerate(homes):
            if host not in self._usable:
                taker = self.choice(cluster, seat, used, self._usable, self._taken_over)[0]
                self._taken_over[taker] += 1
                used.append(taker)
