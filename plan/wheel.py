"""The wheel: in which turn of the round robin each node of each cluster stands.

The wheel has a turn for every share of every declared host, drained ones included, so that
draining a host changes nobody else's turn. The nodes of cluster n take consecutive turns, and
where they start follows from n alone. Whenever the starts begin to repeat, the next clusters start
one turn later, or, where that repeats too, their nodes swap turns: otherwise, with five nodes and
five hosts, all heads would be on one host, and the same hosts would always share clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True, slots=True)
class Wheel:
    """Turns of the round robin and the size of a cluster without overrides.

    `turns` holds positions of hosts; it may be empty if no host takes part.
    """

    turns: tuple[int, ...]
    nodes: int
    common: int  # greatest common divisor of the number of turns and of `nodes`

    def turn(self, cluster: int, seat: int) -> int:
        """Running number of a node's turn; the wheel goes round every `len(turns)` of them.

        `seat` counts a cluster's nodes from 0; seats beyond `nodes` are those that an override
        adds, and follow without taking part in the swap.
        """
        repeats = (cluster - 1) * self.common // len(self.turns)
        swap, late = divmod(repeats, self.common)
        if seat < self.nodes:
            seat = (seat + swap) % self.nodes
        return (cluster - 1) * self.nodes + late + seat

    def hosts_from(self, turn: int) -> list[int]:
        """All hosts of the wheel, each once, in the order of the turns from this one on."""
        start = turn % len(self.turns)
        return list(dict.fromkeys(self.turns[start:] + self.turns[:start]))


def wheel(shares: Sequence[int], nodes: int) -> Wheel:
    """The wheel of hosts with these shares, in declared order where the shares are alike.

    A host with a larger share has its turns spread over the others': 2, 1, 1 give 0 1 0 2.
    """
    common = gcd(*shares) or 1
    count = len(shares)
    timed = sorted(
        ((nth * (count + 1) + host + 1) * common / share, host)
        for host, share in enumerate(shares)
        for nth in range(share // common)
    )
    turns = tuple(host for _, host in timed)
    return Wheel(turns, nodes, gcd(nodes, len(turns)))
