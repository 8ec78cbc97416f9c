"""Which IPv6 addresses a host's interface may have, by the ranges that they are from."""

from __future__ import annotations

import ipaddress
from typing import Any

from lab.errors import bad_parameter

# The most special range first; what is in none is reserved.
_RANGES = tuple(
    (ipaddress.IPv6Network(text), kind)
    for text, kind in (
        ("::/128", "UNSPECIFIED"),
        ("::1/128", "LOOPBACK"),
        ("::ffff:0:0/96", "IPV4MAP"),
        ("100::/64", "DISCARD"),
        ("2001:2::/48", "BMWG"),
        ("2001::/32", "TEREDO"),
        ("2001:db8::/32", "DOCUMENTATION"),
        ("2001:10::/28", "ORCHID"),
        ("2002::/16", "6TO4"),
        ("fe80::/10", "LINK-LOCAL-UNICAST"),
        ("ff00::/8", "MULTICAST"),
        ("fc00::/7", "UNIQUE-LOCAL-UNICAST"),
        ("2000::/3", "GLOBAL-UNICAST"),
    )
)
_OF_HOSTS = ("LINK-LOCAL-UNICAST", "UNIQUE-LOCAL-UNICAST", "GLOBAL-UNICAST")


def check_host_address(values: dict[str, Any]) -> None:
    """400 for an IPv6 address that no single host may have."""
    text = values.get("address6")
    if not text:
        return
    kind = _kind(ipaddress.IPv6Address(text), int(values["netmask6"]))
    if kind not in _OF_HOSTS:
        fault = f"{text} with type '{kind}', cannot be used as host IPv6 address."
        raise bad_parameter("address", fault)


def _kind(address: ipaddress.IPv6Address, bits: int) -> str:
    if int(address) == int(ipaddress.IPv6Network(f"::/{bits}").netmask):
        return "ANYCAST"
    return next((kind for network, kind in _RANGES if address in network), "RESERVED")
