"""Hosts, bridges, trunks and cards of a lab, seen by frames and by what is left behind."""

from __future__ import annotations

import os
import subprocess

import pytest

from lab.engines.qemu.cards import cards
from lab.engines.qemu.taps import Taps
from lab.network.names import Port
from lab.network.plumb import Plumb
from lab.network.system import NetworkError, links
from tests.packets.conftest import Ground
from tests.packets.frames import BROADCAST, udp4
from tests.packets.wires import NAMESPACES, Leg, inside, wait_until

NO_OFFLOADS = bytes(10)
"""What a machine's driver puts before each frame."""


def card(vmid: int, host: str, vlan: int | None, nic: int = 0) -> Port:
    mac = f"02:00:00:00:{vmid % 256:02x}:{nic:02x}"
    return Port(vmid=vmid, nic=nic, host=host, bridge="vmbr1", vlan=vlan, mac=mac)


def say(leg: Leg, number: int, mac: str = "02:00:00:00:00:aa") -> None:
    leg.send(udp4((mac, "10.0.0.1", 9), (BROADCAST, "10.0.0.255", 9), number))


def hears(leg: Leg, number: int) -> bool:
    return wait_until(lambda: number in leg.seen, [leg])


def machine() -> dict[str, str]:
    """What the machine itself has of links, rules and namespaces."""
    commands = (["ip", "-br", "link"], ["nft", "list", "ruleset"], ["ip", "netns"])
    return {
        " ".join(command): subprocess.run(command, capture_output=True, text=True).stdout
        for command in commands
    }


def test_one_vlan_reaches_over_hosts_and_another_does_not(ground: Ground) -> None:
    ground.guests(
        card(1, "pve01", 101), card(2, "pve02", 101), card(3, "pve02", 102), card(4, "pve01", 102)
    )
    one, mate, stranger, neighbour = (ground.leg(vmid) for vmid in (1, 2, 3, 4))
    say(one, 7)
    assert hears(mate, 7)
    say(neighbour, 8, "02:00:00:00:00:bb")
    assert hears(stranger, 8)
    assert 7 not in stranger.seen | neighbour.seen
    assert 8 not in one.seen | mate.seen


def test_a_lab_that_starts_again_finds_its_cards_and_removes_those_of_dead_guests(
    ground: Ground,
) -> None:
    ground.guests(card(1, "pve01", 101), card(2, "pve02", 101), card(3, "pve02", 101))
    again = Plumb(ground.state)
    ground.run(again.reconcile([1, 2]))
    assert {port.vmid for port in again.ports()} == {1, 2}
    names = [link["ifname"] for link in ground.run(links(again.namespace("pve02")))]
    assert "tap2i0" in names
    assert "tap3i0" not in names
    one, mate = ground.leg(1), ground.leg(2)
    say(one, 11)
    assert hears(mate, 11)


def test_a_card_that_is_plugged_out_hears_nothing_and_can_be_plugged_in_again(
    ground: Ground,
) -> None:
    ground.guests(card(1, "pve01", 101), card(2, "pve01", 101))
    ground.run(ground.plumb.detach(2, 0))
    ground.run(ground.plumb.detach(2, 0))
    ground.guests(card(2, "pve02", 101))
    one, mate = ground.leg(1), ground.leg(2)
    say(one, 21)
    assert hears(mate, 21)


def test_a_guest_that_moves_to_another_host_keeps_its_card(ground: Ground) -> None:
    ground.guests(card(1, "pve01", 101), card(2, "pve02", 101))
    one, mate = ground.leg(1), ground.leg(2)
    ground.run(ground.plumb.move(1, 0, "pve03"))
    say(one, 31)
    assert hears(mate, 31)
    assert [port.host for port in ground.plumb.ports() if port.vmid == 1] == ["pve03"]


def said_until_heard(leg: Leg, by: Leg, number: int) -> bool:
    """Ports of bridges take their time; what is said before that is lost."""

    def heard() -> bool:
        say(leg, number)
        return number in by.seen

    return wait_until(heard, [by])


def test_a_card_that_stays_is_plugged_into_another_network(ground: Ground) -> None:
    ground.guests(card(1, "pve01", 101), card(2, "pve02", 102), card(3, "pve02", 101))
    one, there, here = (ground.leg(vmid) for vmid in (1, 2, 3))
    assert said_until_heard(one, here, 41)
    ground.run(ground.plumb.replug(1, 0, "pve01", "vmbr1", 102, False))
    assert said_until_heard(one, there, 42)
    assert (42 in here.seen, 41 in there.seen) == (False, False)
    ground.run(ground.plumb.replug(1, 0, "pve01", "vmbr1", 101, False))
    assert said_until_heard(one, here, 43)
    assert [port.vlan for port in ground.plumb.ports() if port.vmid == 1] == [101]


def test_two_labs_on_one_machine_do_not_meet(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Ground(tmp_path_factory.mktemp("other"))
    try:
        ground.guests(card(1, "pve01", 101), card(2, "pve02", 101))
        other.guests(card(1, "pve01", 101))
        one, mate, stranger = ground.leg(1), ground.leg(2), other.leg(1)
        say(one, 41)
        assert hears(mate, 41)
        assert 41 not in stranger.seen
    finally:
        other.close()


def test_a_half_made_network_is_made_whole_by_the_next_card(ground: Ground) -> None:
    ground.guests(card(1, "pve01", 101))
    subprocess.run(
        ["ip", "-n", ground.plumb.namespace("pve01"), "link", "delete", "t.vmbr1v102"], check=False
    )
    torn = ["link", "add", "vmbr1v102", "type", "bridge"]
    subprocess.run(["ip", "-n", ground.plumb.namespace("pve01"), *torn], check=True)
    ground.plumb = Plumb(ground.state)  # a lab that starts again
    ground.guests(card(3, "pve01", 102), card(4, "pve02", 102))
    one, mate = ground.leg(3), ground.leg(4)
    say(one, 51)
    assert hears(mate, 51)


def test_a_guest_that_is_not_there_is_an_error_and_leaves_no_card(ground: Ground) -> None:
    plumb = ground.plumb
    with pytest.raises(NetworkError):
        ground.run(plumb.attach(9, 0, "pve01", "vmbr1", 101, "02:00:00:00:00:09", False, "no-one"))
    assert not plumb.ports()


def test_an_emulator_is_given_a_tap_on_the_same_bridge(ground: Ground) -> None:
    plumb = ground.plumb
    ground.run(plumb.attach(9, 0, "pve01", "vmbr1", 101, "02:00:00:00:00:09", False, None))
    found = {link["ifname"]: link for link in ground.run(links(plumb.namespace("pve01")))}
    assert found["tap9i0"]["master"] == "vmbr1v101"


def test_a_tap_that_an_emulator_has_open_moves_with_its_packets(ground: Ground) -> None:
    ground.guests(card(1, "pve02", 101))
    mate, taps = ground.leg(1), Taps(ground.plumb)
    (wanted,) = cards({"net0": "virtio=02:00:00:00:00:09,bridge=vmbr1,tag=101"})
    tap = ground.run(taps.connect(9, "pve01", wanted))
    assert tap is not None
    try:
        for number, host in ((51, "pve01"), (52, "pve03")):
            ground.run(taps.move(9, host))
            frame = udp4(("02:00:00:00:00:09", "10.0.0.9", 9), (BROADCAST, "10.0.0.255", 9), number)

            def heard(frame: bytes = frame, number: int = number) -> bool:
                os.write(tap, NO_OFFLOADS + frame)
                return number in mate.seen

            assert wait_until(heard, [mate])
            assert taps.hosts(9) == {host}
        ground.run(taps.disconnect_all(9))
        assert taps.hosts(9) == set()
    finally:
        os.close(tap)


def test_what_a_host_had_is_gone_after_teardown_and_the_machine_is_as_before(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before = machine()
    made = Ground(tmp_path_factory.mktemp("short"))
    try:
        made.guests(card(1, "pve01", 101), card(2, "pve02", 101))
        assert list(NAMESPACES.glob(f"{made.plumb.names.prefix}*"))
    finally:
        made.close()
    assert machine() == before
    with inside(None):
        assert not list(NAMESPACES.glob(f"{made.plumb.names.prefix}*"))


def test_traffic_is_counted_as_the_guest_sees_it(ground: Ground) -> None:
    ground.guests(card(1, "pve01", 101), card(2, "pve02", 101))
    one, mate = ground.leg(1), ground.leg(2)
    for number in range(100, 110):
        say(one, number)
    assert hears(mate, 109)
    figures = ground.run(ground.plumb.traffic())
    assert figures["tap1i0"][1] >= 600
    assert figures["tap2i0"][0] >= 600
