"""Values in a stack file that are more than text: ranges, addresses, networks, numbers.

All addresses are IPv4: the private networks of a tutorial are numbered by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Annotated, Any, ClassVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from event.hosts import MAX_HOSTS, expand_hosts
from event.rule import RefusedError, Rule
from event.weburl import WEB_URL

__all__ = [
    "MAX_HOSTS",
    "Address",
    "AddressRange",
    "Cidr",
    "Network",
    "NumberRange",
    "Sha256",
    "Vlan",
    "VlanRange",
    "Vmid",
    "VmidRange",
    "WebUrl",
    "expand_hosts",
]

FIRST_VLAN, LAST_VLAN = 2, 4094
"""VLAN tags to choose from (IEEE 802.1Q): 0 and 4095 are reserved, 1 is what has no tag."""

FIRST_VMID, LAST_VMID = 100, 999_999_999
"""VMIDs that Proxmox VE accepts; those below 100 it keeps for itself."""


_IPV6 = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]+(/[0-9]+)?")
_NEAR_RANGE = re.compile(r"([0-9_]{1,12}) ?(?:-|,|–|\.\.|to|:) ?([0-9_]{1,12})")


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Whole numbers from `first` to `last`, both included; written `100-199`."""

    first: int
    last: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def overlaps(self, other: NumberRange) -> bool:
        """Whether some number is in both."""
        return self.first <= other.last and other.first <= self.last

    def covers(self, other: NumberRange) -> bool:
        """Whether every number of the other is in this range."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True)
class AddressRange:
    """IPv4 addresses from `first` to `last`, both included; written `192.0.2.10-192.0.2.40`."""

    RULE: ClassVar[Rule]

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: object) -> bool:
        return isinstance(address, IPv4Address) and self.first <= address <= self.last

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1

    def __getitem__(self, position: int) -> IPv4Address:
        """The address at a position, counted from 0; IndexError beyond the last."""
        if not 0 <= position < len(self):
            raise IndexError(position)
        return self.first + position

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return cls.RULE.__get_pydantic_core_schema__(source, handler)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return cls.RULE.__get_pydantic_json_schema__(schema, handler)


def parse_address(text: str) -> IPv4Address:
    """An IPv4 address, written as four decimal numbers."""
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise RefusedError(_why_no_address(text)) from None


def parse_cidr(text: str) -> IPv4Network:
    """A network `address/length` whose address is its first one."""
    if "/" not in text and ":" not in text:
        raise RefusedError("has no prefix length")
    return parse_network(text)


def parse_network(text: str) -> IPv4Network:
    """A network, or a single address."""
    address, slash, length = text.partition("/")
    if text.lower() in {"any", "all", "everywhere", "*"}:
        raise RefusedError("is no network", "write 0.0.0.0/0 for every address")
    if _IPV6.fullmatch(text):
        raise RefusedError("is IPv6, and clusters are numbered by IPv4")
    parse_address(address)
    if slash and not (re.fullmatch(r"[0-9]{1,2}", length) and int(length) <= 32):
        raise RefusedError("has no prefix length from 0 to 32 after the slash")
    try:
        network = IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise RefusedError("is no network") from None
    if slash and str(network.network_address) != address:
        raise RefusedError(
            f"has host bits set: {address} lies inside the network", f"write {network}"
        )
    return network


def _number_range(first_allowed: int, last_allowed: int, what: str, example: str) -> Rule:
    """A rule for ranges of `what` between two limits."""

    def parse(text: str) -> NumberRange:
        match = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", text)
        if match is None:
            near = _NEAR_RANGE.fullmatch(text)
            hint = f"write {near[1]}-{near[2]}".replace("_", "") if near else ""
            raise RefusedError("is no range", hint)
        first, last = int(match[1]), int(match[2])
        if first > last:
            raise RefusedError("runs backwards", f"write {last}-{first}")
        for number in (first, last):
            if not first_allowed <= number <= last_allowed:
                raise RefusedError(
                    f"has {number}, but {what} are {first_allowed} to {last_allowed}"
                )
        if f"{first}-{last}" != text:
            raise RefusedError("has leading zeros", f"write {first}-{last}")
        return NumberRange(first, last)

    return Rule(
        allowed=f"the first and the last of a range of {what}, e.g. {example}",
        parse=parse,
        example=example,
        pattern=r"^[0-9]+-[0-9]+$",
        max_length=21,
    )


def _address_range(text: str) -> AddressRange:
    first, hyphen, last = text.partition("-")
    if not hyphen:
        raise RefusedError("is no range")
    found = AddressRange(parse_address(first), parse_address(last))
    if found.first > found.last:
        raise RefusedError("runs backwards", f"write {last}-{first}")
    if len(found) > 65536:
        raise RefusedError(f"has {len(found)} addresses", "write a range of at most 65536")
    return found


def _sha256(text: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text) and text != text.lower():
        raise RefusedError("has capital letters", "write it in lower case")
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise RefusedError(f"is no SHA-256 checksum (it has {len(text)} characters)")
    return text


def _why_no_address(text: str) -> str:
    if _IPV6.fullmatch(text):
        return "is IPv6, and clusters are numbered by IPv4"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text):
        numbers = text.split(".")
        if any(number != "0" and number.startswith("0") for number in numbers):
            return "has a number with a leading zero"
        return "has a number above 255"
    return "is no IPv4 address"


ADDRESS = Rule(
    allowed="an IPv4 address, e.g. 192.0.2.10",
    parse=parse_address,
    example="192.0.2.10",
    pattern=r"^[0-9]+(\.[0-9]+){3}$",
)
CIDR = Rule(
    allowed="an IPv4 network with its prefix length, e.g. 198.51.100.0/24",
    parse=parse_cidr,
    example="198.51.100.0/24",
    pattern=r"^[0-9]+(\.[0-9]+){3}/[0-9]+$",
)
NETWORK = Rule(
    allowed="an IPv4 address or network, e.g. 192.0.2.10 or 198.51.100.0/24",
    parse=parse_network,
    example="192.0.2.10",
    pattern=r"^[0-9]+(\.[0-9]+){3}(/[0-9]+)?$",
)
AddressRange.RULE = Rule(
    allowed="the first and the last address, e.g. 192.0.2.10-192.0.2.40",
    parse=_address_range,
    example="192.0.2.10-192.0.2.40",
    pattern=r"^[0-9]+(\.[0-9]+){3}-[0-9]+(\.[0-9]+){3}$",
)
SHA256 = Rule(
    allowed="the 64 characters that sha256sum prints, 0-9 and a-f",
    parse=_sha256,
    example="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    pattern=r"^[0-9a-f]{64}$",
)

Address = Annotated[IPv4Address, ADDRESS]
Cidr = Annotated[IPv4Network, CIDR]
Network = Annotated[IPv4Network, NETWORK]
VlanRange = Annotated[NumberRange, _number_range(FIRST_VLAN, LAST_VLAN, "VLANs", "100-199")]
VmidRange = Annotated[NumberRange, _number_range(FIRST_VMID, LAST_VMID, "VMIDs", "100000-199999")]
Sha256 = Annotated[str, SHA256]
WebUrl = Annotated[str, WEB_URL]
Vlan = Annotated[int, Field(ge=FIRST_VLAN, le=LAST_VLAN)]
Vmid = Annotated[int, Field(ge=FIRST_VMID, le=LAST_VMID)]
