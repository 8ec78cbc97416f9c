"""The partition table and the EFI partition, read back by other code than wrote them."""

from __future__ import annotations

import struct
import uuid
import zlib

from image import fat, gpt

SECTORS = 65_536
DISK = uuid.UUID(int=7)


def disk() -> bytes:
    part = gpt.Partition(
        kind=gpt.LINUX_ROOT, unique=uuid.UUID(int=9), first=2048, last=60_000, name="root"
    )
    image = bytearray(SECTORS * gpt.SECTOR)
    for sector, content in gpt.tables(
        [part], sectors=SECTORS, disk_id=DISK, boot_code=b"\xeb" * 440
    ):
        image[sector * gpt.SECTOR : sector * gpt.SECTOR + len(content)] = content
    return bytes(image)


def header(image: bytes, sector: int) -> tuple[int, ...]:
    place = sector * gpt.SECTOR
    signature, _, size, checksum, _, own, other, first, last = struct.unpack_from(
        "<8sIIIIQQQQ", image, place
    )
    assert signature == b"EFI PART"
    whole = bytearray(image[place : place + size])
    whole[16:20] = b"\0\0\0\0"
    assert zlib.crc32(whole) == checksum
    table, count, entry, entries = struct.unpack_from("<QIII", image, place + 72)
    begin = table * gpt.SECTOR
    assert zlib.crc32(image[begin : begin + count * entry]) == entries
    return own, other, first, last, table


def test_both_tables_are_whole_and_name_each_other() -> None:
    image = disk()
    assert header(image, 1) == (1, SECTORS - 1, 34, SECTORS - 34, 2)
    assert header(image, SECTORS - 1) == (SECTORS - 1, 1, 34, SECTORS - 34, SECTORS - 33)


def test_old_programs_see_a_disk_that_is_full() -> None:
    image = disk()
    assert image[:440] == b"\xeb" * 440
    assert image[510:512] == b"\x55\xaa"
    assert image[450] == 0xEE
    assert struct.unpack_from("<II", image, 454) == (1, SECTORS - 1)


def test_a_file_in_folders_is_read_back_along_its_chain() -> None:
    content = bytes(range(256)) * 100
    image = fat.with_file("EFI/BOOT/BOOTX64.EFI", content, sectors=32_768, serial=1)
    assert len(image) == 32_768 * fat.SECTOR
    fat_sectors = struct.unpack_from("<H", image, 22)[0]
    table = image[512 : 512 + fat_sectors * 512]
    assert image[512 + fat_sectors * 512 : 512 + 2 * fat_sectors * 512] == table
    root = 512 + 2 * fat_sectors * 512
    data = root + fat.ROOT_ENTRIES * 32

    def read(cluster: int) -> bytes:
        found = b""
        while cluster < 0xFFF8:
            place = data + (cluster - 2) * fat.CLUSTER
            found += image[place : place + fat.CLUSTER]
            cluster = struct.unpack_from("<H", table, cluster * 2)[0]
        return found

    entries = image[root : root + 32]
    for name in (b"EFI        ", b"BOOT       ", b"BOOTX64 EFI"):
        place = next(n for n in range(0, len(entries), 32) if entries[n : n + 11] == name)
        cluster, size = struct.unpack_from("<HI", entries, place + 26)
        entries = read(cluster)
    assert entries[:size] == content


def test_the_same_file_gives_the_same_bits() -> None:
    one, two = (fat.with_file("A/B.C", b"x" * 5000, sectors=32_768, serial=1) for _ in range(2))
    assert one == two
