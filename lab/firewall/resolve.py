"""Names in firewall settings become addresses: aliases, IP sets, lists, ranges."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from lab.firewall.addresses import ALIAS, IPSET, is_address, network
from lab.firewall.spans import read_span
from lab.store import Value

Network = IPv4Network | IPv6Network
EMPTY: Value = {"options": {}, "rules": [], "aliases": {}, "ipset": {}}


@dataclass(frozen=True, slots=True)
class Scopes:
    """Settings of the datacenter and, for a guest's own rules, of the guest."""

    cluster: Value
    guest: Value

    def alias(self, text: str) -> Network | None:
        """The network of an alias: the guest's before the datacenter's, unless one is named."""
        found = ALIAS.fullmatch(text)
        if found is None:
            return None
        for scope in self._named(found[1]):
            alias = scope["aliases"].get(found[2].lower())
            if alias is not None:
                return network(alias["cidr"])
        return None

    def ipset(self, text: str) -> list[Network]:
        """The networks of an IP set; none of one that is not there."""
        found = IPSET.fullmatch(text)
        if found is None:
            return []
        for scope in self._named(found[1]):
            if found[2] in scope["ipset"]:
                return self.entries(scope["ipset"][found[2]]["entries"])
        return []

    def entries(self, entries: Iterable[Value]) -> list[Network]:
        """What the entries of an IP set match: of two that hold an address, the longer prefix
        decides, and one with `nomatch` takes its addresses out."""
        found: list[tuple[Network, bool]] = []
        for entry in entries:
            text = entry["cidr"]
            part = network(text) if is_address(text) else self.alias(text)
            if part is not None:
                found.append((part, bool(entry.get("nomatch"))))
        matched: list[Network] = []
        for part, excluded in sorted(found, key=lambda each: each[0].prefixlen):
            matched = without(matched, part) if excluded else [*matched, part]
        return collapsed(matched)

    def addresses(self, text: str) -> list[Network]:
        """What a rule's source or destination stands for."""
        if text.startswith("+"):
            return self.ipset(text)
        if ALIAS.fullmatch(text):
            alias = self.alias(text)
            return [] if alias is None else [alias]
        found: list[Network] = []
        for member in text.split(","):
            span = read_span(member)
            kind = ipaddress.IPv4Address if span.version == 4 else ipaddress.IPv6Address
            found += ipaddress.summarize_address_range(kind(span.first), kind(span.last))
        return collapsed(found)

    def _named(self, prefix: str | None) -> tuple[Value, ...]:
        if prefix == "dc/":
            return (self.cluster,)
        if prefix == "guest/":
            return (self.guest,)
        return () if prefix == "sdn/" else (self.guest, self.cluster)


def without(networks: Iterable[Network], taken: Network) -> list[Network]:
    """Networks less one."""
    kept: list[Network] = []
    for each in networks:
        if each.version != taken.version or not each.overlaps(taken):
            kept.append(each)
        elif taken.prefixlen > each.prefixlen:
            kept += each.address_exclude(taken)  # type: ignore[arg-type]
    return kept


def collapsed(networks: Iterable[Network]) -> list[Network]:
    """The same addresses in as few networks as can be, version 4 first."""
    every = list(networks)
    four = [each for each in every if isinstance(each, IPv4Network)]
    six = [each for each in every if isinstance(each, IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def complete(rows: Mapping[str, Value], key: str) -> Value:
    """A scope's settings with all of their parts."""
    return {**EMPTY, **rows.get(key, {})}


def link_local(mac: str) -> IPv6Network:
    """The address that IPv6 makes of a MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    middle = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return IPv6Network((b"\xfe\x80" + b"\0" * 6 + middle, 128))
