"""Addresses in firewall rules, aliases and IP sets, with the words of Perl's Net::IP."""

from __future__ import annotations

import ipaddress
import re

from lab.firewall.spans import read_span
from lab.formats import named_format
from lab.named_formats import is_ip

ALIAS = re.compile(r"(guest/|dc/)?([A-Za-z][A-Za-z0-9\-_]+)")
IPSET = re.compile(r"\+(guest/|dc/|sdn/)?([A-Za-z][A-Za-z0-9\-_]+)")
_LONGEST_NAME = 64
_REFERENCE = re.compile(r"\+\S+")
_SPLIT = re.compile(r"([^/]+)(?:/(\d+))?", re.ASCII)


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network of `address` or `address/bits`, host bits ignored; ValueError with Net::IP's
    text."""
    found = _SPLIT.fullmatch(text)
    if found is None or not is_ip(found[1]):
        raise ValueError(f"Cannot determine IP version for {text}")
    address = ipaddress.ip_address(found[1])
    if found[2] is not None:
        _check_prefix(address, int(found[2]))
    return ipaddress.ip_network(text, strict=False)


def _check_prefix(address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int) -> None:
    longest = address.max_prefixlen
    if bits > longest:
        raise ValueError(f"Prefix length {bits} is longer than IP address ({longest})")
    if bits == 0 and int(address):
        raise ValueError(f"Invalid prefix {int(address):0{longest}b}/0")


def is_address(text: str) -> bool:
    """Whether a text has the form of an address or network, right or not."""
    found = _SPLIT.fullmatch(text)
    return found is not None and is_ip(found[1])


def list_members(text: str) -> list[str]:
    """Members of a comma list; none for an empty text, which clears a rule's field."""
    members = text.split(",") if text else []
    if members and not members[-1]:
        raise ValueError("extraneous commas in list")
    return members


def version_of(text: str) -> int | None:
    """4 or 6 for a list or range of addresses, None for an alias or IP set; ValueError with the
    text of the fault."""
    if _REFERENCE.fullmatch(text):
        if len(text) > _LONGEST_NAME + 1:
            raise ValueError("ipset name too long")
        return None
    if ALIAS.fullmatch(text):
        if len(text) > _LONGEST_NAME:
            raise ValueError("alias name too long")
        return None
    members = list_members(text)
    if not members:
        return None
    versions = [_member_version(member) for member in members]
    if len(set(versions)) > 1:
        raise ValueError(f"detected mixed ipv4/ipv6 addresses in address list '{text}'")
    if len(members) > 1 and "-" in text:
        raise ValueError("you can't use a range in a list")
    return versions[0]


def _member_version(member: str) -> int:
    try:
        return read_span(member).version
    except ValueError as error:
        raise ValueError(f"invalid IP address: {error}") from error


@named_format("pve-fw-addr-spec")
def _address_spec(text: str) -> None:
    version_of(text)


@named_format("IPorCIDR")
def _ip_or_cidr(text: str) -> None:
    if not is_address(text):
        raise ValueError("value does not look like a valid IP address or CIDR network")
    network(text)


@named_format("IPorCIDRorAlias")
def _ip_or_cidr_or_alias(text: str) -> None:
    if not ALIAS.fullmatch(text):
        _ip_or_cidr(text)
