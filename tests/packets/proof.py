"""The proof of isolation: every kind of frame, from every cluster to every other, counted where it
arrives.

Each frame has a token. A frame that is seen by a card that it may not reach is a leak; one that is
not seen where it must be is missing: without such controls silence would prove nothing. A last
frame from each card, sent after all others on the same way, says when waiting may end.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.packets import frames as f
from tests.packets.fleet import INSTRUCTOR, Place
from tests.packets.wires import wait_until

LEARNED = "unicast to a learned MAC"
OWN_ARP = "ARP for an address"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One frame on its way: `may` are the cards that it may reach, `must` those that it has to."""

    kind: str
    sender: str
    target: str
    may: frozenset[str]
    must: frozenset[str]


@dataclass(slots=True)
class Verdict:
    """What was found: texts, one for each leak and each missing frame."""

    frames: int = 0
    pairs: set[tuple[str, str]] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def red(self) -> bool:
        return bool(self.leaks or self.missing)

    def __str__(self) -> str:
        told = [*self.leaks[:10], *self.missing[:10]]
        return "\n".join(
            [f"{len(self.leaks)} leaks, {len(self.missing)} missing of {self.frames}", *told]
        )


Make = Callable[[int], bytes]


class Proof:
    """Frames between the cards of a fleet; `run` sends them and judges."""

    def __init__(
        self,
        places: Sequence[Place],
        seed: int = 0,
        *,
        every: bool = False,
        tags_pass: bool = True,
    ) -> None:
        """`every` sends from each card of a cluster, else from one that the seed chooses;
        `tags_pass`: whether mates must hear tagged frames, as on bridges that know no tags."""
        self.places = places
        self._tags_pass = tags_pass
        self._chance = random.Random(seed)
        self._every = every
        self._probes: dict[int, Probe] = {}
        self._by_network: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            self._by_network[place.network].append(place)

    def run(self, patience_s: float = PATIENCE_S) -> Verdict:
        """Greet, so that every switch has learned every MAC; probe; wait for the last frames."""
        if not self._round(lambda place: self._greeting(place, "greeting"), patience_s):
            return self._verdict()
        for network, members in sorted(self._by_network.items()):
            if network == "exposed":
                self._probe_exposed(members)
            else:
                self._probe_network(network, members)
        self._round(lambda place: self._greeting(place, "last frame"), patience_s)
        return self._verdict()

    def _round(self, send: Callable[[Place], None], patience_s: float) -> bool:
        """Send from each card, and wait for all that must arrive until now; False if not all
        did."""
        for place in self.places:
            send(place)
        legs = [place.leg for place in self.places]
        seen = {str(place): place.leg.seen for place in self.places}
        open_ = {
            (number, name) for number, probe in self._probes.items() for name in probe.must
        }  # fmt: skip

        def arrived() -> bool:
            open_.difference_update([each for each in open_ if each[0] in seen[each[1]]])
            return not open_

        return wait_until(arrived, legs, patience_s)

    def _greeting(self, place: Place, kind: str) -> None:
        """An ARP request of a card's own: allowed everywhere on its network."""
        all_ = self._reach(place)
        self._send(
            place, kind, "all", lambda n: f.arp(place.mac, place.address, "192.0.2.99", n),
            may=all_, must=all_,
        )  # fmt: skip

    def _reach(self, place: Place) -> frozenset[str]:
        """All cards of a card's network but its own."""
        return frozenset(str(each) for each in self._by_network[place.network] if each is not place)

    def _send(
        self, place: Place, kind: str, target: str, make: Make, *,
        may: frozenset[str], must: frozenset[str],
    ) -> None:  # fmt: skip
        number = len(self._probes) + 1
        self._probes[number] = Probe(
            kind=kind, sender=str(place), target=target, may=may, must=must
        )
        place.leg.send(make(number))
        if number % 200 == 0:
            for each in self.places:
                each.leg.drain()

    def _probe_network(self, network: str, members: list[Place]) -> None:
        """From a cluster's own cards: to its mates (controls), to everybody, to each other one."""
        own = [place for place in members if place.cluster != INSTRUCTOR]
        for sender in own if self._every else [self._chance.choice(own)]:
            reach = self._reach(sender)
            mate = self._chance.choice([place for place in members if place is not sender])
            for kind, make in everybody(sender):
                self._send(sender, kind, "everybody", make, may=reach, must=reach)
            for kind, make in aimed(sender, mate, _vlan(mate), stranger=True):
                heard = self._tags_pass or "tag" not in kind
                must = frozenset({str(mate)}) if heard else frozenset()
                self._send(sender, kind, "control", make, may=reach, must=must)
            self._send(
                sender, "spanning tree", "everybody",
                lambda n, mac=sender.mac: f.bridge_protocol(mac, n),  # type: ignore[misc]
                may=reach, must=frozenset(),
            )  # fmt: skip
            for other, target in self._others(network):
                for kind, make in aimed(sender, target, _vlan(target)):
                    self._send(sender, kind, other, make, may=reach, must=frozenset())
                for kind, make in by_way_of(sender, target, members):
                    self._send(sender, kind, other, make, may=reach, must=frozenset())

    def _others(self, network: str) -> Iterator[tuple[str, Place]]:
        """A card of each other cluster's network."""
        for name, members in sorted(self._by_network.items()):
            if name not in (network, "exposed"):
                own = [place for place in members if place.cluster != INSTRUCTOR]
                yield name, self._chance.choice(own)

    def _probe_exposed(self, members: list[Place]) -> None:
        """From heads: to each other nothing; what the rules allow, to the world."""
        world = next(place for place in members if place.cluster == "world")
        heads = [place for place in members if place is not world]
        nobody: frozenset[str] = frozenset()
        for head in heads:
            for kind, make in exposed_everybody(head):
                self._send(head, kind, "everybody", make, may=nobody, must=nobody)
            for other in heads:
                if other is not head:
                    for kind, make in aimed(head, other, _vlan(other)):
                        may = self._reach(head) if kind == OWN_ARP else nobody
                        self._send(head, kind, other.cluster, make, may=may, must=nobody)
            for kind, make in outward(head, world, self._chance.choice(heads)):
                must = frozenset({str(world)}) if kind == "allowed" else nobody
                self._send(head, f"outward, {kind}", "world", make, may=must, must=must)
            for kind, make in inward(world, head):
                must = frozenset({str(head)}) if kind == "allowed" else nobody
                self._send(world, f"inward, {kind}", head.cluster, make, may=must, must=must)

    def _verdict(self) -> Verdict:
        verdict = Verdict(frames=len(self._probes))
        seen = {str(place): place.leg.seen for place in self.places}
        cluster = {str(place): place.cluster for place in self.places}
        for probe in self._probes.values():
            verdict.pairs.add((cluster[probe.sender], probe.target))
        for name, tokens in seen.items():
            for number in tokens & self._probes.keys():
                probe = self._probes[number]
                if name not in probe.may and name != probe.sender:
                    verdict.leaks.append(f"{probe.kind}: {probe.sender} → {name}")
        for number, probe in self._probes.items():
            verdict.missing += [
                f"{probe.kind}: {probe.sender} did not reach {name}"
                for name in probe.must
                if number not in seen[name]
            ]
        return verdict


def _vlan(place: Place) -> int:
    return place.port.vlan or 0


def everybody(sender: Place) -> list[tuple[str, Make]]:
    """Frames for all of a network."""
    mac, address = sender.mac, sender.address
    end = (mac, address, 9)
    return [
        ("ARP", lambda n: f.arp(mac, address, "10.255.255.10", n)),
        ("broadcast", lambda n: f.udp4(end, (f.BROADCAST, "255.255.255.255", 9), n)),
        ("multicast", lambda n: f.udp4(end, ("01:00:5e:02:0b:47", "239.2.11.71", 8649), n)),
        ("multicast names", lambda n: f.udp4(end, ("01:00:5e:00:00:fb", "224.0.0.251", 5353), n)),
        ("neighbour discovery", lambda n: f.neighbour_solicitation(mac, "fe80::1", n)),
        ("router advertisement", lambda n: f.router_advertisement(mac, n)),
        ("DHCP offer", lambda n: f.dhcp_offer(mac, address, n)),
    ]


def exposed_everybody(sender: Place) -> list[tuple[str, Make]]:
    """The same without what a head may say on the exposed network: its own ARP and neighbours."""
    legal = ("ARP", "neighbour discovery")
    mac = sender.mac
    return [
        *((kind, make) for kind, make in everybody(sender) if kind not in legal),
        ("ARP of the gateway", lambda n: f.arp(mac, "198.51.100.1", "198.51.100.1", n)),
        ("tagged broadcast", lambda n: f.tagged(f.arp(mac, sender.address, "192.0.2.1", n), 1)),
    ]


def aimed(
    sender: Place, target: Place, vlan: int, *, stranger: bool = False
) -> list[tuple[str, Make]]:
    """Frames for one card. A spoofed one bears its MAC and address; with `stranger`, among mates,
    those of nobody, so that no switch learns a wrong place of a mate."""
    mine, own = (sender.mac, sender.address, 9), _vlan(sender)
    theirs = (target.mac, target.address, 9)
    false = ("02:ee:00:00:00:01", "192.0.2.77", 9) if stranger else theirs
    everyone = (f.BROADCAST, "255.255.255.255", 9)

    def plain(number: int) -> bytes:
        return f.udp4(mine, theirs, number)

    return [
        (LEARNED, plain),
        ("TCP", lambda n: f.tcp_syn(mine, theirs, n)),
        (OWN_ARP, lambda n: f.arp(mine[0], mine[1], theirs[1], n)),
        ("spoofed source", lambda n: f.udp4(false, everyone, n)),
        ("spoofed address", lambda n: f.udp4((mine[0], false[1], 9), theirs, n)),
        ("spoofed ARP", lambda n: f.arp(mine[0], false[1], "192.0.2.1", n, reply_to=theirs[0])),
        ("tag of the target", lambda n: f.tagged(plain(n), vlan)),
        ("double tag", lambda n: f.tagged(plain(n), own, vlan)),
        ("double tag from outside", lambda n: f.tagged(plain(n), 1, vlan)),
        ("tag 0", lambda n: f.tagged(plain(n), 0)),
        ("tag 1", lambda n: f.tagged(plain(n), 1)),
    ]


def by_way_of(sender: Place, target: Place, members: list[Place]) -> list[tuple[str, Make]]:
    """Packets that somebody would have to route: the instructors' node, the sender's host."""
    mine = (sender.mac, sender.address, 9)
    ways = {"by way of the host": sender.leg.host_mac}
    for place in members:
        if place.cluster == INSTRUCTOR:
            ways["by way of the instructor"] = place.mac

    def made(mac: str) -> Make:
        return lambda n: f.udp4(mine, (mac, target.address, 9), n)

    return [(kind, made(mac)) for kind, mac in ways.items() if mac]


def outward(head: Place, world: Place, other: Place) -> list[tuple[str, Make]]:
    """From a head to the world: what the allow list of SC09 has, and what it has not."""
    mine, mac = (head.mac, head.address, 40_000), world.mac
    own, mirror = mine[:2], (mac, world.address, 80)
    stranger = ("02:ee:00:00:00:02", "198.51.100.99")
    if other is not head:
        stranger = (other.mac, other.address)
    return [
        ("allowed", lambda n: f.tcp_syn((*own, 40_000 + n % 20_000), mirror, n)),
        ("false MAC", lambda n: f.tcp_syn((stranger[0], *mine[1:]), mirror, n)),
        ("false address", lambda n: f.tcp_syn((mine[0], stranger[1], 9), mirror, n)),
        ("another port", lambda n: f.tcp_syn(mine, (mac, world.address, 22), n)),
        ("another address", lambda n: f.tcp_syn(mine, (mac, "192.0.2.1", 80), n)),
        ("names of nobody", lambda n: f.udp4(mine, (mac, "192.0.2.1", 53), n)),
        ("IPv6", lambda n: f.icmp6((head.mac, f.link_local(head.mac)), (mac, f.link_local(mac)),
                                   128, b"\0" * 4 + f.token(n) + b"\0" * 2)),
    ]  # fmt: skip


def inward(world: Place, head: Place) -> list[tuple[str, Make]]:
    """From the world to a head: SSH, and nothing else."""
    mine = (world.mac, world.address)
    there = (head.mac, head.address)
    return [
        ("allowed", lambda n: f.tcp_syn((*mine, 20_000 + n % 20_000), (*there, 22), n)),
        ("another port", lambda n: f.tcp_syn((*mine, 9), (*there, 111), n)),
        ("a datagram", lambda n: f.udp4((*mine, 9), (*there, 22), n)),
    ]
