"""Network cards of a guest: `virtio=BC:24:11:..,bridge=vmbr0,tag=100`."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from lab.formats import parse_property_string, print_property_string

if TYPE_CHECKING:
    from lab.app import Lab

DEFAULT_PREFIX = "BC:24:11"
_NET = re.compile(r"net\d+")


def is_net(key: str) -> bool:
    """Whether a key of the configuration is a network card."""
    return _NET.fullmatch(key) is not None


def parse_net(text: str) -> dict[str, Any]:
    """The keys of a card; `macaddr` may be missing."""
    return parse_property_string("pve-qm-net", text)


def trunk_vlans(text: str) -> list[int]:
    """VLANs of a card's `trunks`, such as `10;20-22`, sorted; a range whose end is below its begin
    is its begin alone."""
    found: set[int] = set()
    for part in filter(None, text.split(";")):
        first, _, last = part.partition("-")
        found.update(range(int(first), max(int(last or first), int(first)) + 1))
    return sorted(found)


def print_net(net: dict[str, Any]) -> str:
    """A card as Proxmox VE stores it: model and address first, the other keys sorted."""
    return print_property_string("pve-qm-net", net)


def mac_prefix(lab: Lab) -> str:
    """What generated addresses begin with: the cluster's option, or Proxmox VE's own prefix."""
    return str((lab.store.get("option", "datacenter") or {}).get("mac_prefix", DEFAULT_PREFIX))


def random_mac(prefix: str) -> str:
    """An address that begins with `prefix` (hexadecimal digits, colons) and else is random."""
    digits = prefix.replace(":", "").upper()
    digits += secrets.token_hex(6).upper()[: 12 - len(digits)]
    if len(prefix.replace(":", "")) < 2:
        # Without a first octet the address must be made unicast and locally administered.
        digits = f"{int(digits[:2], 16) & 0xFE | 0x02:02X}{digits[2:]}"
    return ":".join(digits[n : n + 2] for n in range(0, 12, 2))


def complete(text: str, prefix: str) -> str:
    """A card as stored, with a new address when the caller gave none."""
    net = parse_net(text)
    if not net.get("macaddr"):
        net["macaddr"] = random_mac(prefix)
    return print_net(net)


def with_new_mac(text: str, prefix: str) -> str:
    """The card of a clone: the same with another address."""
    return print_net({**parse_net(text), "macaddr": random_mac(prefix)})
