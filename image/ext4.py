"""The root file system: made by mke2fs from a tree, then dated so that every build is alike.

`mke2fs -d` needs neither a loop device nor a mount. It writes the times of the build, which are
put right afterwards in the inode tables; so the file system has no checksums of metadata, and
those fields can be written.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from pathlib import Path

from .problems import ImageError
from .recipes import Recipe

BLOCK = 4096
INODE = 256
FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,"
    "large_file,huge_file,dir_nlink,extra_isize"
)
_SUPER = 1024


def make(tree: Path, target: Path, recipe: Recipe, *, size: int, built: float, epoch: int) -> None:
    """A file system of `size` bytes with everything below `tree`.

    What the build has made (dated `built` or later) is dated `epoch`; what came out of a package
    keeps its date.
    """
    with target.open("wb") as file:
        file.truncate(size)
    options = f"hash_seed={recipe.root_id},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-I", str(INODE), "-m", "1"]
    command += ["-O", FEATURES, "-L", "practicum-root", "-U", str(recipe.root_id)]
    command += ["-E", options, "-d", str(tree), str(target)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env={**os.environ, "E2FSPROGS_FAKE_TIME": str(epoch)},
    )  # fmt: skip
    if done.returncode != 0:
        raise ImageError(f"the file system cannot be made: {done.stderr.strip()}")
    with target.open("r+b") as made, mmap.mmap(made.fileno(), 0) as disk:
        _date(disk, built=built, epoch=epoch)


def _date(disk: mmap.mmap, *, built: float, epoch: int) -> None:
    per_group = struct.unpack_from("<I", disk, _SUPER + 32)[0]
    inodes_per_group = struct.unpack_from("<I", disk, _SUPER + 40)[0]
    blocks = struct.unpack_from("<I", disk, _SUPER + 4)[0]
    groups = -(-blocks // per_group)
    for group in range(groups):
        if group == 0 or _has_copy(group):
            _date_super(disk, _SUPER if group == 0 else group * per_group * BLOCK, epoch)
        table = struct.unpack_from("<I", disk, BLOCK + group * 32 + 8)[0] * BLOCK
        for place in range(table, table + inodes_per_group * INODE, INODE):
            # An unused inode has no mode and no links.
            if disk[place : place + 2] != b"\0\0" or disk[place + 8 : place + 12] != b"\0\0\0\0":
                _date_inode(disk, place, built, epoch)


def _has_copy(group: int) -> bool:
    """Whether a group begins with a copy of the superblock: 1 and the powers of 3, 5 and 7."""
    for base in (3, 5, 7):
        power = 1
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def _date_super(disk: mmap.mmap, place: int, epoch: int) -> None:
    for offset, value in ((44, 0), (48, epoch), (64, epoch), (264, epoch)):
        struct.pack_into("<I", disk, place + offset, value)
    struct.pack_into("<Q", disk, place + 0x178, 0)  # kilobytes written


def _date_inode(disk: mmap.mmap, place: int, built: float, epoch: int) -> None:
    """Access, change, modification and birth; nanoseconds and high bits are in further fields."""
    modified, fraction = struct.unpack_from("<I", disk, place + 16)[0], 0
    if modified >= int(built):
        modified = epoch
    else:
        fraction = struct.unpack_from("<I", disk, place + 0x88)[0]
    struct.pack_into("<III", disk, place + 8, modified, modified, modified)
    struct.pack_into("<IIIII", disk, place + 0x84, fraction, fraction, fraction, modified, fraction)
