"""Texts of addresses in firewall rules as Perl's Net::IP reads them, with its words for faults.

It takes more than an address: `10.1` is 10.1.0.0, `10` is 10.0.0.0, a range has a dash, and what
follows a slash without being a number is passed over. A network must not have host bits.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_NETWORK = re.compile(r"(\S+?)/(\S+)")
_RANGE = re.compile(r"(.+?)\s*-\s*(.+)")
_LENGTH = re.compile(r"(\d+)", re.ASCII)
_QUAD = re.compile(r"\d{1,3}", re.ASCII)
_GROUP = re.compile(r"[a-f\d]{1,4}", re.IGNORECASE | re.ASCII)
_GROUPS = 7


class Span(NamedTuple):
    """The addresses from `first` to `last`, both included, of version 4 or 6."""

    version: int
    first: int
    last: int


def read_span(text: str) -> Span:
    """The addresses of one text without commas; ValueError with Net::IP's words."""
    if found := _NETWORK.fullmatch(text):
        return _network(found[1], found[2])
    if found := _RANGE.fullmatch(text):
        return _range(found[1], found[2])
    version = _version(text)
    address = _number(text, version)
    return Span(version, address, address)


def _network(text: str, length: str) -> Span:
    version = _version(text)
    address, longest = _number(text, version), _longest(version)
    found = _LENGTH.fullmatch(length)
    if found is None:
        return Span(version, address, address)
    bits = int(found[1])
    if bits > longest:
        raise ValueError(f"Prefix length {bits} is longer than IP address ({longest})")
    hosts = (1 << (longest - bits)) - 1
    if address & hosts:
        raise ValueError(f"Invalid prefix {address:0{longest}b}/{bits}")
    return Span(version, address, address | hosts)


def _range(first: str, last: str) -> Span:
    version = _version(first)
    begin, end = _number(first, version), _number(last, version)
    if begin > end:
        names = f"{_expanded(begin, version)} - {_expanded(end, version)}"
        raise ValueError(f"Begin address is greater than End address {names}")
    return Span(version, begin, end)


def _longest(version: int) -> int:
    return 32 if version == 4 else 128


def _expanded(address: int, version: int) -> str:
    if version == 4:
        return str(ipaddress.IPv4Address(address))
    return ipaddress.IPv6Address(address).exploded


def _version(text: str) -> int:
    if ":" in text:
        _check_sixth(text)
        return 6
    _check_fourth(text)
    return 4


def _check_fourth(text: str) -> None:
    if not re.fullmatch(r"[\d.]+", text, re.ASCII):
        raise ValueError(f"Invalid chars in IP {text}")
    if text.startswith("."):
        raise ValueError(f"Invalid IP {text} - starts with a dot")
    if text.endswith("."):
        raise ValueError(f"Invalid IP {text} - ends with a dot")
    if text.count(".") > 3:
        raise ValueError(f"Invalid IP address {text}")
    if ".." in text:
        raise ValueError(f"Empty quad in IP address {text}")
    for quad in text.split("."):
        if int(quad) > 255:
            raise ValueError(f"Invalid quad in IP address {text} - {quad}")


def _check_sixth(text: str) -> None:
    if text.count(":") > _GROUPS:
        raise ValueError("")
    groups = text.rstrip(":").split(":")
    for number, group in enumerate(groups):
        embedded = number == text.count(":") and "." in group
        if embedded:
            _check_fourth(group)
        elif group and not _GROUP.fullmatch(group):
            raise ValueError(f"Invalid IP address {text}")
    if re.match(r":[^:]", text):
        raise ValueError(f"Invalid address {text} (starts with :)")
    if re.search(r"[^:]:$", text):
        raise ValueError(f"Invalid address {text} (ends with :)")
    if len(re.findall(r":(?=:)", text)) > 1:
        raise ValueError(f"Invalid address {text} (More than one :: pattern)")
    if text.count(":") + ("." in groups[-1]) != _GROUPS and "::" not in text:
        raise ValueError(f"Invalid number of octets {text}")


def _number(text: str, version: int) -> int:
    if version == 4:
        return _fourth(text)
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise ValueError(f"Invalid IP address {text}") from error


def _fourth(text: str) -> int:
    quads = text.split(".")
    if not all(_QUAD.fullmatch(quad) for quad in quads):
        raise ValueError(f"Not a valid IPv4 address {text}")
    value = 0
    for quad in (*quads, "0", "0", "0")[:4]:
        value = value << 8 | int(quad)
    return value
