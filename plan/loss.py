"""Loss of a host: would its guests find room on the others?

Each host is taken away in turn, from the finished placement; its guests go where the placement's
own rule puts guests of a drained host. Pinned guests count as movable, because a pin to a lost
host is taken out.
"""

from __future__ import annotations

from collections.abc import Sequence

from plan.capacity import Seated
from plan.placement import Placement
from plan.roster import ClusterSpec


def worst_loss(
    placement: Placement, clusters: Sequence[ClusterSpec], nodes: Sequence[Seated]
) -> int | None:
    """Position of the host whose loss leaves most guests without room; None if none does.

    `nodes` are all nodes with their hosts in the order of the roster, the instructors' first.
    """
    on_host: dict[int, list[Seated]] = {}
    for each in nodes:
        on_host.setdefault(each.host, []).append(each)
    left = {host: _left_over(placement, clusters, host, on_host[host]) for host in sorted(on_host)}
    worst = max(left, key=lambda host: left[host], default=None)
    return worst if worst is not None and left[worst] else None


def _left_over(
    placement: Placement, clusters: Sequence[ClusterSpec], lost: int, guests: Sequence[Seated]
) -> int:
    """How many of a lost host's guests find no room elsewhere."""
    room = placement.room.copy()
    usable = placement.usable - {lost}
    taken_over = dict.fromkeys(placement.wheel.turns, 0)
    moved: dict[int, list[int]] = {}
    left = 0
    for guest in guests:
        if guest.cluster is None:
            candidates = sorted(usable, reverse=True)
            used: list[int] = []
        else:
            stay = [host for host in placement.places[guest.cluster] if host != lost]
            used = moved.setdefault(guest.cluster, stay)
            number, seat = clusters[guest.cluster].number, guest.node.seat
            candidates = placement.relief.choice(number, seat, used, usable, taken_over)
            if candidates:  # counted as in relief, where a full host has its turn too
                taken_over[candidates[0]] += 1
        host = next((each for each in candidates if room.fits(guest.node, each)), None)
        if host is None:
            left += 1
            continue
        room.take(guest.node, host)
        used.append(host)
    return left
