"""One firewall rule as what nftables matches: a text for each way that a packet can fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.firewall.macros import MEANING
from lab.firewall.registries import SERVICES
from lab.firewall.resolve import Network, Scopes
from lab.firewall.words import ICMP

Rule = dict[str, Any]
_PROTOCOLS = {"icmpv6": "ipv6-icmp", "encap": "98", "ipencap": "4"}
_ICMP = {
    "network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
    "port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-route-failed": (3, 5),
    "network-unknown": (3, 6), "host-unknown": (3, 7), "network-prohibited": (3, 9),
    "host-prohibited": (3, 10), "TOS-network-unreachable": (3, 11),
    "TOS-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
    "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15),
    "network-redirect": (5, 0), "host-redirect": (5, 1), "TOS-network-redirect": (5, 2),
    "TOS-host-redirect": (5, 3), "ttl-zero-during-transit": (11, 0),
    "ttl-zero-during-reassembly": (11, 1), "ip-header-bad": (12, 0),
    "required-option-missing": (12, 1), "echo-reply": (0, None),
    "destination-unreachable": (3, None), "source-quench": (4, None), "redirect": (5, None),
    "echo-request": (8, None), "router-advertisement": (9, None),
    "router-solicitation": (10, None), "time-exceeded": (11, None),
    "parameter-problem": (12, None), "timestamp-request": (13, None),
    "timestamp-reply": (14, None), "address-mask-request": (17, None),
    "address-mask-reply": (18, None),
}  # fmt: skip
_ICMP6 = {
    "no-route": (1, 0), "communication-prohibited": (1, 1), "beyond-scope": (1, 2),
    "address-unreachable": (1, 3), "port-unreachable": (1, 4), "failed-policy": (1, 5),
    "reject-route": (1, 6), "ttl-zero-during-transit": (3, 0),
    "ttl-zero-during-reassembly": (3, 1), "bad-header": (4, 0), "unknown-header-type": (4, 1),
    "unknown-option": (4, 2), "destination-unreachable": (1, None), "packet-too-big": (2, None),
    "time-exceeded": (3, None), "parameter-problem": (4, None), "echo-request": (128, None),
    "echo-reply": (129, None), "router-solicitation": (133, None),
    "router-advertisement": (134, None), "neighbor-solicitation": (135, None),
    "neighbour-solicitation": (135, None), "neighbor-advertisement": (136, None),
    "neighbour-advertisement": (136, None), "redirect": (137, None),
}  # fmt: skip


def matches(rule: Rule, scopes: Scopes) -> list[str]:
    """What packets must fulfil, in nftables' words, one text for each alternative.

    None when nothing can fit, as with an IP set that is empty; an empty text fits everything.
    """
    ways = MEANING[rule["macro"]] if rule.get("macro") else [{}]
    return [text for way in ways for text in _matches({**rule, **way}, scopes)]


def _matches(rule: Rule, scopes: Scopes) -> list[str]:
    transport = _transport(rule)
    only = ICMP.get(rule.get("proto", ""))
    if not rule.get("source") and not rule.get("dest"):
        return [transport]
    found = []
    for version in (4, 6):
        if only not in (None, version):
            continue
        words = []
        for name, side in (("source", "saddr"), ("dest", "daddr")):
            if not rule.get(name):
                continue
            fitting = [each for each in scopes.addresses(rule[name]) if each.version == version]
            if not fitting:
                break
            words.append(f"{'ip' if version == 4 else 'ip6'} {side} {one_of(fitting)}")
        else:
            found.append(" ".join([*words, *([transport] if transport else [])]))
    return found


def one_of(values: Iterable[Network | str]) -> str:
    """A value, or the set of several."""
    texts = [str(each) for each in values]
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}"


def _transport(rule: Rule) -> str:
    protocol = rule.get("proto")
    if not protocol:
        return ""
    if protocol in ICMP:
        return _icmp(rule, ICMP[protocol])
    name = _PROTOCOLS.get(protocol, protocol)
    words = [f"meta l4proto {name}"]
    for field in ("sport", "dport"):
        if rule.get(field):
            words.append(f"th {field} {one_of(_ports(rule[field]))}")
    return " ".join(words)


def _icmp(rule: Rule, version: int) -> str:
    kind = str(rule.get("icmp-type") or rule.get("dport") or "any")
    head, names = ("icmp", _ICMP) if version == 4 else ("icmpv6", _ICMP6)
    if kind == "any":
        return f"meta l4proto {'icmp' if version == 4 else 'ipv6-icmp'}"
    number, code = (int(kind), None) if kind.isdigit() else names[kind]
    return f"{head} type {number}" + ("" if code is None else f" {head} code {code}")


def _ports(text: str) -> list[str]:
    """Ports of a list; overlapping ones are joined, because a set takes no overlap."""
    spans = sorted(_span(member) for member in text.split(","))
    joined: list[list[int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return [str(first) if first == last else f"{first}-{last}" for first, last in joined]


def _span(member: str) -> tuple[int, int]:
    first, _, last = member.partition(":")
    return _port(first), _port(last or first)


def _port(text: str) -> int:
    return int(text) if text.isdigit() else SERVICES[text]
