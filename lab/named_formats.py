"""The named formats that several areas share: ids, names, addresses.

Each function's name says nothing to the API; the registered name does. Texts are Proxmox VE's.
"""

from __future__ import annotations

import ipaddress
import re

from lab.formats import named_format, split_list
from lab.roles import PRIVILEGES

_VMID = re.compile(r"[1-9][0-9]{2,8}", re.ASCII)
_NODE = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?")
_STORAGE = re.compile(r"[a-z][a-z0-9\-_.]*[a-z0-9]", re.IGNORECASE | re.ASCII)
_MAC = re.compile(r"[a-f0-9][02468ace](:[a-f0-9]{2}){5}", re.IGNORECASE)
_MAC_PREFIX = re.compile(r"[a-f0-9][02468ace](?::[a-f0-9]{2}){0,2}(?::[a-f0-9]?)?", re.IGNORECASE)
_DNS_PART = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DNS_NAME = re.compile(rf"{_DNS_PART}(\.{_DNS_PART})*")
_CONFIG_ID = re.compile(r"[a-z][a-z0-9_-]+", re.IGNORECASE)
_USER = re.compile(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+")
_TOKEN = re.compile(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+")
_NAME = re.compile(r"[A-Za-z0-9.\-_]+", re.ASCII)
_POOL = re.compile(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+)*", re.ASCII)
_POOL_LEVELS = 3
_IFACE = re.compile(r"[a-z][a-z0-9_]{1,20}([:.]\d+)?", re.IGNORECASE | re.ASCII)
_EMAIL_USER = r"[\w+\-~]+(\.[\w+\-~]+)*"
_EMAIL = re.compile(rf"{_EMAIL_USER}@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*")
_TAG = re.compile(r"[a-z0-9_][a-z0-9_\-+.]*", re.IGNORECASE | re.ASCII)
_CIDR4 = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})/(\d{1,2})", re.ASCII)
_CIDR6 = re.compile(r"([0-9a-fA-F:.]+)/(\d{1,3})", re.ASCII)


def _expect(fits: object, text: str) -> None:
    if not fits:
        raise ValueError(text)


def is_ipv4(text: str) -> bool:
    """Whether a text is an IPv4 address in plain decimal."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def is_ipv6(text: str) -> bool:
    """Whether a text is an IPv6 address without a zone."""
    try:
        return "%" not in text and bool(ipaddress.IPv6Address(text) or True)
    except ValueError:
        return False


def is_ip(text: str) -> bool:
    """Whether a text is an address of either kind."""
    return is_ipv4(text) or is_ipv6(text)


def is_cidr4(text: str) -> bool:
    """Whether a text is `address/bits` with 8 to 32 bits; host bits may be set."""
    found = _CIDR4.fullmatch(text)
    return bool(found and is_ipv4(found[1]) and 8 <= int(found[2]) <= 32)


def is_cidr6(text: str) -> bool:
    """The same for IPv6, with 8 to 128 bits."""
    found = _CIDR6.fullmatch(text)
    return bool(found and is_ipv6(found[1]) and 8 <= int(found[2]) <= 128)


@named_format("pve-vmid")
def _vmid(text: str) -> None:
    _expect(_VMID.fullmatch(text), "value does not look like a valid VM ID")


@named_format("pve-node")
def _node(text: str) -> None:
    _expect(_NODE.fullmatch(text), "value does not look like a valid node name")


@named_format("pve-storage-id")
def _storage(text: str) -> None:
    _expect(len(text) > 1, f"storage ID '{text}' cannot be shorter than 2 characters")
    _expect(_STORAGE.fullmatch(text), f"storage ID '{text}' contains illegal characters")


@named_format("pve-configid")
def _config_id(text: str) -> None:
    _expect(_CONFIG_ID.fullmatch(text), f"invalid configuration ID '{text}'")


@named_format("mac-addr")
def _mac(text: str) -> None:
    _expect(_MAC.fullmatch(text), "value does not look like a valid unicast MAC address")


@named_format("mac-prefix")
def _mac_prefix(text: str) -> None:
    _expect(_MAC_PREFIX.fullmatch(text), "value is not a valid unicast MAC address prefix")


@named_format("dns-name")
def _dns_name(text: str) -> None:
    _expect(_DNS_NAME.fullmatch(text), "value does not look like a valid DNS name")


@named_format("address")
def _address(text: str) -> None:
    _expect(
        is_ip(text) or (_DNS_NAME.fullmatch(text) and text != "0"),
        "value does not look like a valid address: " + text,
    )


@named_format("ip")
def _ip(text: str) -> None:
    _expect(is_ip(text), "value does not look like a valid IP address")


@named_format("ipv4")
def _ipv4(text: str) -> None:
    _expect(is_ipv4(text), "value does not look like a valid IPv4 address")


@named_format("ipv6")
def _ipv6(text: str) -> None:
    _expect(is_ipv6(text), "value does not look like a valid IPv6 address")


@named_format("ipv4mask")
def _ipv4_mask(text: str) -> None:
    bits = f"{int(ipaddress.IPv4Address(text)):032b}" if is_ipv4(text) else "01"
    _expect("01" not in bits, "value does not look like a valid IP netmask")


@named_format("CIDR")
def _cidr(text: str) -> None:
    _expect(is_cidr4(text) or is_cidr6(text), "value does not look like a valid CIDR network")


@named_format("CIDRv4")
def _cidr4(text: str) -> None:
    _expect(is_cidr4(text), "value does not look like a valid IPv4 CIDR network")


@named_format("CIDRv6")
def _cidr6(text: str) -> None:
    _expect(is_cidr6(text), "value does not look like a valid IPv6 CIDR network")


@named_format("email")
def _email(text: str) -> None:
    _expect(_EMAIL.fullmatch(text), "value does not look like a valid email address")


@named_format("email-or-username")
def _email_or_username(text: str) -> None:
    _expect(
        _EMAIL.fullmatch(text) or re.fullmatch(_EMAIL_USER, text),
        "value does not look like a valid email address or user name",
    )


@named_format("pve-iface")
def _iface(text: str) -> None:
    _expect(_IFACE.fullmatch(text), f"invalid network interface name '{text}'")


@named_format("pve-tag")
def _tag(text: str) -> None:
    _expect(_TAG.fullmatch(text), "invalid characters in tag")


@named_format("pve-userid")
def _userid(text: str) -> None:
    shown = "" if text == "0" else text
    _expect(len(text) >= 3, f"user name '{shown}' is too short")
    _expect(len(text) <= 64, f"user name '{text}' is too long ({len(text)} > 64)")
    _expect(_USER.fullmatch(text), f"value '{text}' does not look like a valid user name")


@named_format("pve-tokenid")
def _tokenid(text: str) -> None:
    _expect(_TOKEN.fullmatch(text), f"value '{text}' does not look like a valid token ID")


@named_format("pve-groupid")
def _groupid(text: str) -> None:
    _expect(_NAME.fullmatch(text), f"group name '{text}' contains invalid characters")


@named_format("pve-roleid")
def _roleid(text: str) -> None:
    _expect(_NAME.fullmatch(text), f"role name '{text}' contains invalid characters")


@named_format("pve-realm")
def _realm(text: str) -> None:
    _expect(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9.\-_]+", text),
        "value does not look like a valid realm",
    )


@named_format("pve-poolid")
def _poolid(text: str) -> None:
    levels = text.rstrip("/").split("/")
    _expect(
        len(levels) <= _POOL_LEVELS,
        f"pool name '{text}' nested too deeply (max levels = {_POOL_LEVELS})",
    )
    _expect(_POOL.fullmatch(text), f"pool name '{text}' contains invalid characters")


@named_format("pve-priv")
def _privilege(text: str) -> None:
    _expect(text in PRIVILEGES, f"invalid privilege '{text}'")


@named_format("pve-priv-list")
def _privileges(text: str) -> None:
    for name in split_list(text):
        _privilege(name)


@named_format("pve-task-status-type")
def _task_status(text: str) -> None:
    _expect(text.lower() in ("ok", "error", "warning", "unknown"), f"invalid status '{text}'")


@named_format("pve-storage-path")
def _path(text: str) -> None:
    _expect(re.match(r"/[^;()]+", text), "value does not look like a valid absolute path")


CONTENT_TYPES = ("images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none")


@named_format("pve-storage-content")
def _content(text: str) -> None:
    _expect(text in CONTENT_TYPES, f"invalid content type '{text}'")


@named_format("pve-storage-server")
def _server(text: str) -> None:
    _expect(
        is_ip(text) or (_DNS_NAME.fullmatch(text) and text != "0"),
        "value does not look like a valid server name or IP address",
    )


@named_format("pve-storage-options")
def _storage_options(text: str) -> None:
    _expect(re.fullmatch(r"\S+", text), f"invalid options '{text}'")


@named_format("pve-dir-override")
def _folder_override(text: str) -> None:
    found = re.fullmatch(r"([a-z]+)=([^.]*(?:\.?[^.]+)+)", text)
    if found:
        _content(found[1])
    fits = found and len(found[2]) < 1023 and all(len(p) < 255 for p in found[2].split("/"))
    _expect(fits, f"invalid override '{text}'")


@named_format("pve-storage-portal-dns")
def _portal(text: str) -> None:
    plain = re.fullmatch(r"[A-Za-z0-9\-.]+(?::\d+)?", text)
    bracketed = re.fullmatch(r"\[([A-Za-z0-9\-.:]+)\](?::\d+)?", text)
    sixth = re.fullmatch(r"([0-9a-fA-F:]+)(?:\.\d+)?", text)
    fits = plain or (bracketed and (":" not in bracketed[1] or is_ipv6(bracketed[1])))
    _expect(
        fits or (sixth and is_ipv6(sixth[1])), "value does not look like a valid portal address"
    )


@named_format("pve-vlan-id-or-range")
def _vlans(text: str) -> None:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if found is None:
        raise ValueError(f"invalid VLAN configuration '{text}'")
    first, last = int(found[1]), int(found[2] or 0)
    for tag in (first, last) if last else (first,):
        _expect(2 <= tag <= 4094, f"invalid VLAN tag '{tag}'")
    _expect(not last or first < last, f"VLAN range must go from lower to higher tag '{text}'")


_LARGEST_BLOCK = 16 * 1024 * 1024
_SMALLEST_BLOCK = 512


@named_format("pve-storage-zfs-blocksize")
def _block_size(text: str) -> None:
    if not text:
        return
    found = re.fullmatch(r"([1-9][0-9]*)([km])?", text, re.IGNORECASE)
    if found is None:
        raise ValueError(
            f"invalid ZFS blocksize format '{text}'. Use a positive number (no leading zeros) "
            "with an optional 'k' or 'm' suffix."
        )
    size = int(found[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[(found[2] or "").lower()]
    _expect(
        _SMALLEST_BLOCK <= size <= _LARGEST_BLOCK and not size & (size - 1),
        f"value '{text}' is not a valid ZFS blocksize. Must be a power of 2 between 512B and "
        "16MiB (e.g., 4k, 8k, 16k, 64k, 1m).",
    )


@named_format("pve-storage-vgname")
def _group_name(text: str) -> None:
    _expect(
        re.fullmatch(r"[a-z0-9][a-z0-9\-_.]*[a-z0-9]", text, re.IGNORECASE),
        f"lvm name '{text}' contains illegal characters",
    )


@named_format("storage-pair")
def _storage_pair(text: str) -> None:
    try:
        for name in text.split(":") if text.count(":") == 1 else [text]:
            if text not in ("0", "1"):
                _storage(name)
    except ValueError as error:
        # The text of an inner check keeps its newline, and so does that of each outer one.
        raise ValueError(f"entry '{text}' contains invalid ID - {error}\n\n") from error
