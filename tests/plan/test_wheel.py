"""The round robin: fair, in declared order, and never all heads on one host."""

from __future__ import annotations

from collections import Counter

import pytest

from plan.wheel import wheel


def test_hosts_with_like_shares_take_turns_in_declared_order() -> None:
    assert wheel([1, 1, 1], 2).turns == (0, 1, 2)


def test_shares_with_a_common_factor_make_no_longer_wheel() -> None:
    assert wheel([2, 2, 4], 2).turns == wheel([1, 1, 2], 2).turns


def test_a_larger_share_is_spread_over_the_others_turns() -> None:
    assert wheel([2, 1, 1], 1).turns == (0, 1, 0, 2)


def test_a_host_without_a_share_takes_no_turn() -> None:
    assert wheel([0, 1, 0, 1], 1).turns == (1, 3)
    assert wheel([0, 0], 3).turns == ()


@pytest.mark.parametrize("hosts", range(1, 14))
@pytest.mark.parametrize("nodes", range(1, 9))
def test_every_host_gets_as_many_guests_and_heads_as_any_other(hosts: int, nodes: int) -> None:
    turned = wheel([1] * hosts, nodes)
    clusters = hosts * nodes
    guests: Counter[int] = Counter()
    heads: Counter[int] = Counter()
    for cluster in range(1, clusters + 1):
        places = [turned.turns[turned.turn(cluster, seat) % hosts] for seat in range(nodes)]
        guests.update(places)
        heads[places[0]] += 1
        assert len(set(places)) == min(hosts, nodes)
    assert set(guests.values()) == {nodes * nodes}
    assert max(heads.values()) == min(heads[host] for host in range(hosts))


@pytest.mark.parametrize("hosts", range(1, 14))
@pytest.mark.parametrize("nodes", range(1, 9))
def test_no_host_is_ever_two_guests_ahead_of_another(hosts: int, nodes: int) -> None:
    turned = wheel([1] * hosts, nodes)
    guests = Counter(dict.fromkeys(range(hosts), 0))
    for cluster in range(1, 100):
        for seat in range(nodes):
            guests[turned.turns[turned.turn(cluster, seat) % hosts]] += 1
        assert max(guests.values()) - min(guests.values()) <= 1 + (nodes > 1)
