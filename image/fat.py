"""A FAT16 file system that holds one file in nested folders: the EFI system partition.

Written byte by byte after Microsoft's specification, so that the same input gives the same bits.
"""

from __future__ import annotations

import struct

SECTOR = 512
CLUSTER_SECTORS = 4
CLUSTER = SECTOR * CLUSTER_SECTORS
ROOT_ENTRIES = 512
RESERVED = 1
END = 0xFFFF
FOLDER, FILE = 0x10, 0x20
DATE = 0x5A21  # 2025-01-01: FAT has no place for no date


def with_file(path: str, content: bytes, *, sectors: int, serial: int) -> bytes:
    """A file system of so many sectors with one file; names are of the form 8.3, in capitals."""
    clusters_fat = (sectors // CLUSTER_SECTORS + 2) * 2
    fat_sectors = -(-clusters_fat // SECTOR)
    root_sectors = ROOT_ENTRIES * 32 // SECTOR
    data_start = RESERVED + 2 * fat_sectors + root_sectors
    if not 4085 <= (sectors - data_start) // CLUSTER_SECTORS < 65525:
        raise ValueError(f"{sectors} sectors make no FAT16")
    *folders, name = path.split("/")
    table, data = [0xFFF8, END], bytearray()
    root = _entry(folders[0], FOLDER, 2, 0)
    for number, _ in enumerate(folders):
        own = 2 + number
        following = folders[number + 1] if number + 1 < len(folders) else None
        inside = (
            _entry(following, FOLDER, own + 1, 0)
            if following
            else _entry(name, FILE, own + 1, len(content))
        )
        parent = own - 1 if number else 0
        dots = _entry(".", FOLDER, own, 0) + _entry("..", FOLDER, parent, 0)
        data += (dots + inside).ljust(CLUSTER, b"\0")
        table.append(END)
    count = -(-len(content) // CLUSTER)
    first = len(table)
    table += [*range(first + 1, first + count), END]
    data += content
    fat = struct.pack(f"<{len(table)}H", *table).ljust(fat_sectors * SECTOR, b"\0")
    head = _boot_sector(sectors, fat_sectors, serial)
    whole = head + fat + fat + root.ljust(root_sectors * SECTOR, b"\0") + data
    return whole.ljust(sectors * SECTOR, b"\0")


def _boot_sector(sectors: int, fat_sectors: int, serial: int) -> bytes:
    small, large = (sectors, 0) if sectors < 0x10000 else (0, sectors)
    head = struct.pack(
        "<3s8sHBHBHHBHHHIIBBBI11s8s",
        b"\xeb\x3c\x90", b"PRACTICU", SECTOR, CLUSTER_SECTORS, RESERVED, 2, ROOT_ENTRIES, small,
        0xF8, fat_sectors, 32, 8, 0, large, 0x80, 0, 0x29, serial, b"ESP        ", b"FAT16   ",
    )  # fmt: skip
    return head.ljust(510, b"\0") + b"\x55\xaa"


def _entry(name: str, kind: int, cluster: int, size: int) -> bytes:
    if name in (".", ".."):
        short = name.ljust(11)
    else:
        stem, _, ending = name.partition(".")
        short = stem.ljust(8) + ending.ljust(3)
    return struct.pack(
        "<11sBBBHHHHHHHI",
        short.encode("ascii"), kind, 0, 0, 0, DATE, DATE, 0, 0, DATE, cluster, size,
    )  # fmt: skip
