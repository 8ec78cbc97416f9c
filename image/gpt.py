"""A GUID partition table for BIOS and UEFI, written byte by byte: no tool, no loop device.

The layout is the specification's (UEFI 2.10, chapter 5): protective MBR, header and entries at
the begin, the same at the end.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass

SECTOR = 512
ENTRIES = 128
ENTRY_BYTES = 128
TABLE_SECTORS = ENTRIES * ENTRY_BYTES // SECTOR

BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_ROOT = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")  # x86-64


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition from sector `first` to `last`, both its own."""

    kind: uuid.UUID
    unique: uuid.UUID
    first: int
    last: int
    name: str

    def entry(self) -> bytes:
        """As it stands in the table."""
        return struct.pack(
            "<16s16sQQQ72s",
            self.kind.bytes_le,
            self.unique.bytes_le,
            self.first,
            self.last,
            0,
            self.name.encode("utf-16-le"),
        )


def tables(
    partitions: list[Partition], *, sectors: int, disk_id: uuid.UUID, boot_code: bytes
) -> list[tuple[int, bytes]]:
    """What is to be written, as (sector, bytes), on a disk of so many sectors.

    `boot_code` is the first 440 bytes of the disk.
    """
    entries = b"".join(each.entry() for each in partitions).ljust(ENTRIES * ENTRY_BYTES, b"\0")
    last = sectors - 1
    backup = last - TABLE_SECTORS
    return [
        (0, _protective(sectors, boot_code)),
        (1, _header(1, last, 2, entries, disk_id)),
        (2, entries),
        (backup, entries),
        (last, _header(last, 1, backup, entries, disk_id)),
    ]


def _protective(sectors: int, boot_code: bytes) -> bytes:
    length = min(sectors - 1, 0xFFFFFFFF)
    entry = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, length)
    return boot_code[:440].ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"


def _header(own: int, other: int, table: int, entries: bytes, disk_id: uuid.UUID) -> bytes:
    last = max(own, other)

    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            0x10000,
            92,
            checksum,
            0,
            own,
            other,
            2 + TABLE_SECTORS,
            last - TABLE_SECTORS - 1,
            disk_id.bytes_le,
            table,
            ENTRIES,
            ENTRY_BYTES,
            zlib.crc32(entries),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")
