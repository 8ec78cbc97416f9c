"""Sizes as Proxmox VE writes them: a number with K, M, G or T (powers of 1024), or plain bytes."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(?:([KMGT])(?:iB)?)?", re.ASCII)
_SECTOR = 512
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parse_size(text: str) -> int | None:
    """Bytes of `8G`, `1.5M` or `134217728`, rounded down; None for anything else."""
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    unit = _UNITS[found[2] or ""]
    return int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit


def format_size(size: int) -> str:
    """The shortest exact text: 1073741824 is `1G`, 540672 is `528K`, 1000 is `1000`, 0 is `0T`."""
    text = ""
    for unit in ("", "K", "M", "G", "T"):
        text = f"{size}{unit}"
        if size % 1024:
            break
        size //= 1024
    return text


def gibibytes_to_bytes(text: str) -> int:
    """Bytes of a new disk's size in GiB; a host allocates whole KiB, so fractions round up."""
    return -int(-float(text) * 1024**2 // 1) * 1024


def whole_sectors(size: int) -> int:
    """The size of a file as a disk: of whole sectors of 512 bytes."""
    return -(-size // _SECTOR) * _SECTOR
