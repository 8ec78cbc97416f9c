"""The bench of guests that really run: what its arms plug in, and what its results say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import networks
from bench.cards import Card, cards, planned
from bench.guests import TARGET_MIB, TARGET_S, Built, Round, results
from bench.stacks import Size, write_stacks
from lab.network.system import unavailable
from tests.image.conftest import cannot

EVENT = Built(
    heads_s=80.0, agents_s=100.0, up_s=95.0, memory_mib=1700.0, destroy_s=20.0,
    cpu_s={"command line and engine": 30.0, "lab": 20.0, "guests": 150.0},
)  # fmt: skip
ROUND = Round(event=EVENT, lab=(3.0, 0.05), ip=(0.6, 0.02), mininet=(6.0, 5.0, 95.0))
FEW = [
    Card(vmid=7, nic=nic, host=host, bridge="vmbr1", vlan=vlan, mac=f"02:00:00:00:00:{nic:02x}")
    for nic, (host, vlan) in enumerate([("a", 101), ("a", 102)])
] + [
    Card(vmid=8, nic=0, host="b", bridge="vmbr1", vlan=101, mac="02:00:00:00:00:08"),
    Card(vmid=9, nic=0, host="b", bridge="vmbr0", vlan=None, mac="02:00:00:00:00:09"),
]


def test_every_card_of_the_shipped_event_is_plugged_in(tmp_path: Path) -> None:
    write_stacks(tmp_path, Size(clusters=26))
    found = cards(planned(tmp_path))
    assert len({card.vmid for card in found}) == 131
    assert len(found) == 131 + 26 + 26  # a head has two, and the instructors' node one in each
    assert len({card.mac for card in found}) == len(found)


def test_the_slower_of_heads_and_agents_is_held_against_the_target() -> None:
    up, memory, destroy, made, removed = results([ROUND])
    assert (up.id, up.measured) == ("guests.up.131", 100.0)
    assert up.target
    assert (up.target.limit, up.more["CPU seconds"]["all"]) == (TARGET_S, 200.0)
    assert (memory.figure.median, memory.target and memory.target.limit) == (1700, TARGET_MIB)
    assert (destroy.figure.median, destroy.bound.spread and destroy.bound.spread.median) == (
        20,
        0.02,
    )
    assert made.measured == pytest.approx(5.0)
    assert (removed.peer.spread and removed.peer.spread.median) == 5.0


def test_a_missing_mininet_is_said_and_not_left_out() -> None:
    for result in results([replace(ROUND, mininet=None)]):
        assert "not installed" in result.peer.what
        assert result.peer.spread is None


@pytest.mark.packets
class TestOfTheMachine:
    @pytest.fixture(autouse=True)
    def _nothing_stays(self) -> Iterator[None]:
        if reason := unavailable():
            cannot(reason)
        yield
        assert not names()

    def test_the_bound_plugs_the_same_cards_in_as_the_lab_and_both_leave_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        real = networks._batch

        def batch(lines: str, *rest: object, **options: object) -> None:
            if lines.startswith("netns delete"):
                seen.append(plugged(lines))
            real(lines, *rest, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(networks, "_batch", batch)
        assert min(networks.by_ip(FEW)) > 0
        assert min(networks.by_the_lab(tmp_path, FEW)) > 0
        expected = {(card.vmid, card.nic, card.mac) for card in FEW}
        assert seen == [expected, expected]


def names() -> set[str]:
    """Namespaces of this bench."""
    return {path.name for path in Path("/run/netns").glob(f"{networks.PREFIX}*")}


def plugged(lines: str) -> set[tuple[int, int, str]]:
    """The cards in the guests that are about to go: guest, number, MAC."""
    found = set()
    for name in lines.split()[2::3]:
        number = name.removeprefix(networks.PREFIX)
        if number.isdigit():
            command = ["ip", "-n", name, "-j", "link"]
            told = subprocess.run(command, capture_output=True, check=True).stdout
            for link in json.loads(told):
                if link["ifname"].startswith("eth"):
                    nic = int(link["ifname"].removeprefix("eth"))
                    found.add((int(number), nic, link["address"]))
    return found
