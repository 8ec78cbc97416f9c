"""Addresses of services: the API of a site, and files to fetch."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from event.characters import named_character
from event.rule import RefusedError, Rule

MAX_LENGTH = 2048

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._~:/?#\[\]@!&()*+,=%-]")


def parse_endpoint(text: str) -> str:
    """`https://host:port`, without anything behind it."""
    parts = _split(text, ("https://",))
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise RefusedError("has more than a host and a port", f"write https://{parts.netloc}")
    if parts.path:
        raise RefusedError("ends in a slash", f"write https://{parts.netloc}")
    return text


def parse_web_url(text: str) -> str:
    """An http or https URL of a file, without a login in it."""
    parts = _split(text, ("https://", "http://"))
    name = parts.path.rpartition("/")[2]
    if not name:
        raise RefusedError("names no file", "write the address of the file itself")
    return text


def _split(text: str, starts: tuple[str, ...]) -> SplitResult:
    """The parts of a URL that starts as it may, and whose host is a host name or an address."""
    if len(text) > MAX_LENGTH:
        raise RefusedError(f"has {len(text)} characters", f"write at most {MAX_LENGTH}")
    if "@" in text.partition("?")[0]:
        raise RefusedError("has a login in it", "leave out what stands before the @", conceal=True)
    if unsafe := _UNSAFE.search(text):
        raise RefusedError(f"holds {named_character(unsafe[0])}, which no URL has")
    if not text.startswith(starts):
        raise RefusedError(f"does not start with {' or '.join(starts)}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedError("has no port from 1 to 65535 behind its host") from None
    if not _is_host(host):
        raise RefusedError("has no host name or address behind //")
    if port == 0:
        raise RefusedError("has no port from 1 to 65535 behind its host")
    return parts


def _is_host(host: str) -> bool:
    if ":" in host:
        return _is(IPv6Address, host)
    if re.fullmatch(r"[0-9.]+", host):
        return _is(IPv4Address, host)
    return bool(_HOST.fullmatch(host))


def _is(kind: type[IPv4Address] | type[IPv6Address], host: str) -> bool:
    try:
        kind(host)
    except AddressValueError:
        return False
    return True


ENDPOINT = Rule(
    allowed="the address of the API, e.g. https://pve01.example.org:8006",
    parse=parse_endpoint,
    example="https://pve01.example.org:8006",
    pattern=r"^https://[^/?#]+$",
    max_length=MAX_LENGTH,
)
WEB_URL = Rule(
    allowed="the address of a file, e.g. https://images.example.org/debian-12.qcow2",
    parse=parse_web_url,
    example="https://images.example.org/debian-12.qcow2",
    pattern=r"^https?://",
    max_length=MAX_LENGTH,
)
