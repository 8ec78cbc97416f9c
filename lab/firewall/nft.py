"""The packet filter of one host of the lab, as text for nftables: pure, and the same for the same
settings.

What a guest's card with a firewall may send is checked first on its bridge (whose MAC, whose ARP,
no tags); then, because bridged packets with connections known are seen by the family `inet` only,
the bridge marks each packet with the numbers of the cards that it comes from and goes to, and the
rules of both decide there. Nothing is routed but what a service of the host translates.

A reload keeps the counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network

from lab.firewall.card import Card, card_of
from lab.network.names import Port
from lab.store import Value

TABLE = "practicum"
_BRIDGED = 0x80000000
_FROM = 0x7FFF0000
_TO = 0x0000FFFF
_EVERYBODY = ("ip daddr { 224.0.0.0/4, 255.255.255.255 }", "ip6 daddr ff00::/8")


@dataclass(frozen=True, slots=True)
class _Numbered:
    card: Card
    number: int

    @property
    def sender(self) -> str:
        return f"{self.number << 16:#010x}"

    @property
    def receiver(self) -> str:
        return f"{self.number:#06x}"


def ruleset(ports: Sequence[Port], rows: Mapping[str, Value], gone: Iterable[str] = ()) -> str:
    """What to load on a host: all cards on it, the firewall's settings by scope, and links that
    had a card before and have none now."""
    found = (card_of(port, rows) for port in sorted(ports, key=lambda each: (each.vmid, each.nic)))
    cards = [_Numbered(card, number) for number, card in enumerate(filter(None, found), 1)]
    lines = [f"add table bridge {TABLE}", f"flush table bridge {TABLE}"]
    lines += [f"add table inet {TABLE}", f"flush table inet {TABLE}"]
    lines += [f"table bridge {TABLE} {{", *_indented(_bridge(cards)), "}"]
    lines += [f"table inet {TABLE} {{", *_indented(_inet(cards)), "}"]
    for link in gone:
        lines += _forgotten(link)
    return "\n".join(lines) + "\n"


def _forgotten(link: str) -> list[str]:
    chains = [("bridge", "from"), ("bridge", "to"), ("inet", "out"), ("inet", "in")]
    counters = [("bridge", "spoofed"), ("inet", "out_dropped"), ("inet", "in_dropped")]
    return [
        *(f"delete chain {family} {TABLE} {kind}-{link}" for family, kind in chains),
        *(f"delete counter {family} {TABLE} {link}_{kind}" for family, kind in counters),
    ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"\t{line}" for line in lines]


def _chain(name: str, lines: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *_indented(lines), "}"]


def _map(key: str, verdicts: Iterable[str]) -> list[str]:
    """A line that jumps by a key; none without an entry, because a map has to have one."""
    entries = ", ".join(verdicts)
    return [f"{key} vmap {{ {entries} }}"] if entries else []


def _bridge(cards: Sequence[_Numbered]) -> list[str]:
    links = [each.card.port.link for each in cards]
    lines = [f"counter {link}_spoofed {{ }}" for link in links]
    for each in cards:
        lines += _chain(f"from-{each.card.port.link}", _from(each))
        lines += _chain(f"to-{each.card.port.link}", _to(each))
    arriving = ["type filter hook prerouting priority -300; policy accept;"]
    arriving += _map("iifname", (f'"{link}" : jump from-{link}' for link in links))
    passing = [
        "type filter hook forward priority -200; policy accept;",
        f"meta mark set meta mark & {_FROM:#010x} | {_BRIDGED:#010x}",
        *_map("oifname", (f'"{link}" : jump to-{link}' for link in links)),
    ]
    return [*lines, *_chain("arriving", arriving), *_chain("passing", passing)]


def _from(each: _Numbered) -> list[str]:
    """What no rule can allow: another's MAC, another's address in ARP, a tag of one's own."""
    card, lines = each.card, []
    matches = [f"ether saddr != {card.port.mac.lower()}"] if card.macfilter else []
    matches.append("ether type { 0x8100, 0x88a8 }")
    if card.filtered is not None:
        four = [str(each) for each in card.filtered if each.version == 4]
        others = f" arp saddr ip != {{ {', '.join(four)} }}" if four else ""
        matches.append(f"ether type arp{others}")
    for match in matches:
        lines += card.drop(match, "out", "spoofed DROP", counter="spoofed")
    return [*lines, f"meta mark set {each.sender}"]


def _to(each: _Numbered) -> list[str]:
    return [f"meta mark set meta mark | {each.receiver}"]


def _inet(cards: Sequence[_Numbered]) -> list[str]:
    lines = []
    for each in cards:
        link = each.card.port.link
        lines += [f"counter {link}_out_dropped {{ }}", f"counter {link}_in_dropped {{ }}"]
    for each in cards:
        lines += _chain(f"out-{each.card.port.link}", _decide(each.card, "out"))
        lines += _chain(f"in-{each.card.port.link}", _decide(each.card, "in"))
    networks = sorted({each.card.port.network for each in cards})
    zones = ", ".join(f'"{name}" : {number}' for number, name in enumerate(networks, 1))
    zoned = ["type filter hook prerouting priority -300; policy accept;"]
    zoned += [f"ct zone set iifname map {{ {zones} }}"] if zones else []
    passing = [
        "type filter hook forward priority 0; policy drop;",
        "ct status dnat accept",
        f"meta mark & {_BRIDGED:#010x} == 0 drop",
        *_map(
            f"meta mark & {_FROM:#010x}",
            (f"{each.sender} : jump out-{each.card.port.link}" for each in cards),
        ),
        *_map(
            f"meta mark & {_TO:#010x}",
            (f"{each.receiver} : jump in-{each.card.port.link}" for each in cards),
        ),
        "accept",
    ]
    return [*lines, *_chain("zoned", zoned), *_chain("passing", passing)]


def _decide(card: Card, direction: str) -> list[str]:
    """The chain of a card: `return` lets a packet go on to the other card's chain."""
    lines = _always(card, direction)
    if direction == "out":
        lines += _own_addresses(card)
    lines += ["ct state established,related return", "ct state invalid drop"]
    lines += [line for rule in card.rules(direction) for line in rule]
    policy = card.policy(direction)
    if policy == "ACCEPT":
        return [*lines, "return"]
    for everybody in _EVERYBODY:  # dropped without a note, as Proxmox VE does
        lines += card.drop(everybody, direction, "", level="nolog")
    return [*lines, *card.drop("", direction, f"policy {policy}")]


def _always(card: Card, direction: str) -> list[str]:
    """What the options allow before the rules are asked: DHCP as a client, IPv6 neighbours."""
    out, lines = direction == "out", []
    if card.option("dhcp", True):
        four, six = ("68", "67"), ("546", "547")
        for sport, dport in (four, six):
            ends = (sport, dport) if out else (dport, sport)
            lines.append(f"udp sport {ends[0]} udp dport {ends[1]} return")
    if out and not card.option("radv", False):
        lines += card.drop("icmpv6 type nd-router-advert", "out", "radv DROP")
    if card.option("ndp", True):
        kinds = "nd-neighbor-solicit, nd-neighbor-advert"
        other = "nd-router-solicit" if out else "nd-router-advert"
        own = _own_neighbour(card) if out else ""
        lines.append(f"{own}icmpv6 type {{ {kinds}, {other} }} return")
    return lines


def _own_neighbour(card: Card) -> str:
    """With an address filter, neighbours are told of own addresses only."""
    if card.filtered is None:
        return ""
    six = [each for each in card.filtered if isinstance(each, IPv6Network)]
    return f"ip6 saddr {{ ::, {', '.join(str(each) for each in six)} }} "


def _own_addresses(card: Card) -> list[str]:
    if card.filtered is None:
        return []
    lines = []
    for version, word, family in ((4, "ip", "ipv4"), (6, "ip6", "ipv6")):
        own = ", ".join(str(each) for each in card.filtered if each.version == version)
        own = f"::, {own}" if version == 6 else own  # who asks whether an address is free
        match = f"{word} saddr != {{ {own} }}" if own else f"meta nfproto {family}"
        lines += card.drop(match, "out", "ipfilter DROP")
    return lines
