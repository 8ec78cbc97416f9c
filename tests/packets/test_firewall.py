"""The firewall's settings, seen by what passes an exposed guest's card and what does not."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab.network.names import Port
from tests.packets.conftest import Ground
from tests.packets.frames import (
    BROADCAST,
    arp,
    dhcp_offer,
    icmp6,
    link_local,
    neighbour_solicitation,
    router_advertisement,
    tagged,
    tcp_syn,
    udp4,
)
from tests.packets.wires import wait_until

HEAD, OTHER, WORLD, FREE = 100, 200, 300, 400
ADDRESS = {HEAD: "198.51.100.10", OTHER: "198.51.100.11", WORLD: "198.51.100.5", FREE: ""}
RULES = [
    {"type": "in", "action": "ACCEPT", "macro": "SSH", "enable": 1},
    {"type": "out", "action": "ACCEPT", "proto": "tcp", "dport": "80", "dest": "dc/mirror",
     "enable": 1},
    {"type": "out", "action": "ACCEPT", "proto": "udp", "dport": "domain", "dest": "+dns",
     "enable": 1},
    {"type": "out", "action": "ACCEPT", "proto": "udp", "dport": "9", "enable": 0},
]  # fmt: skip
CLUSTER = {
    "options": {"enable": 1},
    "aliases": {"mirror": {"name": "mirror", "cidr": "198.51.100.5"}},
    "ipset": {"dns": {"entries": [{"cidr": "198.51.100.0/28"},
                                  {"cidr": "198.51.100.3", "nomatch": 1}]}},
}  # fmt: skip


def mac(vmid: int) -> str:
    return f"02:00:00:00:{vmid >> 8:02x}:{vmid & 255:02x}"


def card(vmid: int, host: str, *, firewall: bool) -> Port:
    return Port(
        vmid=vmid, nic=0, host=host, bridge="vmbr0", vlan=90, mac=mac(vmid), firewall=firewall
    )


def closed(vmid: int, **options: Any) -> dict[str, Any]:
    """A head's settings: closed by default, open for what its group says."""
    return {
        "options": {"enable": 1, "policy_in": "DROP", "policy_out": "DROP", **options},
        "rules": [{"type": "group", "action": "heads", "enable": 1}],
        "ipset": {"ipfilter-net0": {"entries": [{"cidr": ADDRESS[vmid]}]}},
    }


class Exposed:
    """Two heads with firewalls on two hosts, and the world beyond, which has none."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        ground.settings(
            cluster=CLUSTER, group_heads={"rules": RULES},
            vm_100=closed(HEAD, log_level_out="info"), vm_200=closed(OTHER),
        )  # fmt: skip
        ground.guests(
            card(HEAD, "pve01", firewall=True),
            card(OTHER, "pve02", firewall=True),
            card(WORLD, "pve03", firewall=False),
        )
        self.legs = {vmid: ground.leg(vmid) for vmid in (HEAD, OTHER, WORLD)}
        self._number = 0

    def number(self) -> int:
        self._number += 1
        return self._number

    def end(self, vmid: int, port: int) -> tuple[str, str, int]:
        return mac(vmid), ADDRESS[vmid], port

    def passes(self, sender: int, receiver: int, frame: bytes, number: int) -> bool:
        """Whether a frame arrives before one that surely does, sent right after it."""
        fence = self.number()
        self.legs[sender].send(frame)
        last = arp(mac(sender), ADDRESS[sender], ADDRESS[receiver], fence)
        self.legs[sender].send(last)
        target = self.legs[receiver]
        assert wait_until(lambda: fence in target.seen, [target])
        return number in target.seen


@pytest.fixture
def exposed(ground: Ground) -> Exposed:
    return Exposed(ground)


def tcp(exposed: Exposed, sender: int, receiver: int, port: int) -> tuple[bytes, int]:
    number = exposed.number()
    return tcp_syn(exposed.end(sender, 40000 + number), exposed.end(receiver, port), number), number


def udp(exposed: Exposed, sender: int, receiver: int, port: int) -> tuple[bytes, int]:
    number = exposed.number()
    return udp4(exposed.end(sender, 40000 + number), exposed.end(receiver, port), number), number


def test_a_head_reaches_what_its_group_allows_and_nothing_else(exposed: Exposed) -> None:
    reached = {
        what: exposed.passes(HEAD, WORLD, *made(exposed, HEAD, WORLD, port))
        for what, made, port in (
            ("mirror", tcp, 80), ("names", udp, 53), ("ssh", tcp, 22), ("switched off", udp, 9),
        )
    }  # fmt: skip
    assert reached == {"mirror": True, "names": True, "ssh": False, "switched off": False}


def test_who_is_outside_reaches_a_heads_ssh_and_no_other_port(exposed: Exposed) -> None:
    assert exposed.passes(WORLD, HEAD, *tcp(exposed, WORLD, HEAD, 22))
    assert not exposed.passes(WORLD, HEAD, *tcp(exposed, WORLD, HEAD, 80))
    assert not exposed.passes(WORLD, HEAD, *udp(exposed, WORLD, HEAD, 22))


def test_answers_pass_although_no_rule_names_them(exposed: Exposed) -> None:
    asked, number = udp(exposed, HEAD, WORLD, 53)
    assert exposed.passes(HEAD, WORLD, asked, number)
    back = exposed.number()
    answer = udp4(exposed.end(WORLD, 53), exposed.end(HEAD, 40000 + number), back)
    assert exposed.passes(WORLD, HEAD, answer, back)
    unasked = exposed.number()
    other = udp4(exposed.end(WORLD, 53), exposed.end(HEAD, 39999), unasked)
    assert not exposed.passes(WORLD, HEAD, other, unasked)


def test_heads_of_two_groups_do_not_reach_each_other(exposed: Exposed) -> None:
    for made, port in ((tcp, 22), (tcp, 80), (udp, 53), (udp, 9)):
        assert not exposed.passes(HEAD, OTHER, *made(exposed, HEAD, OTHER, port))


def test_a_head_cannot_claim_anothers_addresses(exposed: Exposed) -> None:
    mine, other, world = exposed.end(HEAD, 5), exposed.end(OTHER, 5), exposed.end(WORLD, 80)
    frames: dict[str, Callable[[int], bytes]] = {
        "mac": lambda n: tcp_syn((other[0], mine[1], 5), world, n),
        "address": lambda n: tcp_syn((mine[0], other[1], 5), world, n),
        "both": lambda n: tcp_syn(other, world, n),
        "arp": lambda n: arp(mine[0], other[1], world[1], n),
        "arp answer": lambda n: arp(mine[0], other[1], world[1], n, reply_to=world[0]),
        "tag": lambda n: tagged(tcp_syn(mine, world, n), 90),
        "zero tag": lambda n: tagged(tcp_syn(mine, world, n), 0),
        "two tags": lambda n: tagged(tcp_syn(mine, world, n), 90, 101),
        "neighbour": lambda n: icmp6(
            (mine[0], link_local(other[0])), ("33:33:00:00:00:01", "ff02::1"), 136,
            b"\0" * 20 + n.to_bytes(4, "big") + b"PrObE!" + n.to_bytes(8, "big") + b"\0\0",
        ),
        "router": lambda n: router_advertisement(mine[0], n),
        "dhcp": lambda n: dhcp_offer(mine[0], mine[1], n),
    }  # fmt: skip
    passed = []
    for what, frame in frames.items():
        number = exposed.number()
        if exposed.passes(HEAD, WORLD, frame(number), number):
            passed.append(what)
    assert not passed


def test_a_head_may_ask_for_its_own_neighbours_and_for_an_address(exposed: Exposed) -> None:
    number = exposed.number()
    asked = neighbour_solicitation(mac(HEAD), "fe80::1", number)
    assert exposed.passes(HEAD, WORLD, asked, number)
    number = exposed.number()
    lease = udp4((mac(HEAD), "0.0.0.0", 68), (BROADCAST, "255.255.255.255", 67), number)
    assert exposed.passes(HEAD, WORLD, lease, number)


def test_changed_settings_are_in_force_without_anything_being_plugged(exposed: Exposed) -> None:
    assert not exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 443))
    more = {"type": "out", "action": "ACCEPT", "macro": "HTTPS", "enable": 1}
    store = exposed.ground.store
    store.put("firewall", "group/heads", {"rules": [*RULES, more]})
    until = time.monotonic() + 60
    while not exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 443)):
        assert time.monotonic() < until


@pytest.mark.parametrize("switch", ["datacenter", "guest", "card"])
def test_the_firewall_needs_three_switches(ground: Ground, switch: str) -> None:
    off = {"options": {"enable": int(switch != "guest"), "policy_out": "DROP"}}
    ground.settings(cluster={"options": {"enable": int(switch != "datacenter")}}, vm_100=off)
    ground.guests(
        card(HEAD, "pve01", firewall=switch != "card"), card(WORLD, "pve02", firewall=False)
    )
    sender, target = ground.leg(HEAD), ground.leg(WORLD)
    sender.send(udp4((mac(HEAD), "10.0.0.1", 5), (mac(WORLD), "10.0.0.2", 5), 77))
    assert wait_until(lambda: 77 in target.seen, [target])


def test_drops_are_noted_as_proxmox_ve_notes_them(exposed: Exposed) -> None:
    assert not exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 22))
    journal = exposed.ground.network.journal
    until = time.monotonic() + 60
    while not (lines := journal.lines("pve01")):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert re.fullmatch(
        r"100 6 tap100i0-OUT \d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4} policy DROP: "
        r"MAC=\S+ SRC=198\.51\.100\.10 DST=198\.51\.100\.5 LEN=\d+ TTL=16 PROTO=TCP "
        r"SPT=\d+ DPT=22",
        lines[0],
    )
    assert (exposed.ground.state / "firewall" / "pve01.log").stat().st_mode & 0o777 == 0o600


def test_a_card_that_is_plugged_out_leaves_no_rule_behind(exposed: Exposed) -> None:
    ground = exposed.ground
    ground.run(ground.plumb.detach(HEAD, 0))
    command = ["ip", "netns", "exec", ground.plumb.namespace("pve01"), "nft", "list", "ruleset"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "chain passing" in shown
    assert "tap100i0" not in shown


def test_rules_are_there_again_after_everything_was_removed(ground: Ground) -> None:
    Exposed(ground)
    ground.run(ground.plumb.teardown())
    exposed = Exposed(ground)
    assert not exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 22))
    assert exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 80))


def test_a_lab_that_starts_again_goes_on_filtering_and_noting(exposed: Exposed) -> None:
    exposed.ground.restart(HEAD, OTHER, WORLD)
    assert exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 80))
    assert not exposed.passes(HEAD, WORLD, *tcp(exposed, HEAD, WORLD, 22))
    journal = exposed.ground.network.journal
    until = time.monotonic() + 60
    while not any("DPT=22" in line for line in journal.lines("pve01")):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_every_packet_of_a_card_is_counted_whether_it_passed_or_not(exposed: Exposed) -> None:
    """Exactly, unlike the log, and on over a reload of the rules."""
    before = {vmid: counted(exposed, vmid) for vmid in (HEAD, WORLD)}
    for port in (80, 80, 22, 22, 22):
        number = exposed.number()
        frame = tcp_syn(exposed.end(HEAD, 40000), exposed.end(WORLD, port), number)
        assert exposed.passes(HEAD, WORLD, frame, number) == (port == 80)
    exposed.ground.settings(vm_200=closed(OTHER, policy_in="ACCEPT"))  # elsewhere
    lie = exposed.number()
    spoofed = udp4(("02:00:00:00:99:99", ADDRESS[HEAD], 9), exposed.end(WORLD, 9), lie)
    assert not exposed.passes(HEAD, WORLD, spoofed, lie)
    after = {vmid: counted(exposed, vmid) for vmid in before}
    head, world = (
        {name: after[vmid][name] - number for name, number in before[vmid].items()}
        for vmid in (HEAD, WORLD)
    )
    assert (head["droppedSent"], head["spoofed"], head["droppedReceived"]) == (3, 1, 0)
    assert head["sent"] >= 5 + 1 + 6  # and a last one after each
    assert world["received"] >= 2 + 6
    assert world["droppedReceived"] == 0  # it has no firewall


def counted(exposed: Exposed, vmid: int) -> dict[str, int]:
    """Packets of a guest's one card, by what became of them."""
    rows = exposed.ground.run(exposed.ground.network.counters())
    (row,) = (each for each in rows if each["vmid"] == vmid)
    return {name: each["packets"] for name, each in row.items() if isinstance(each, dict)}
