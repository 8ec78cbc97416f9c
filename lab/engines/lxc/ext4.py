"""An ext4 file system that is only read, and copied out with owners, rights, links and attributes.

Mounting one takes the machine's root. What is in an image comes from whoever has uploaded it: no
name and no link of it may lead out of the folder that it is copied to.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import TaskError

_SUPER, _MAGIC = 1024, 0xEF53
_ROOT = 2
_EXTENTS, _INLINE = 0x80000, 0x10000000
# Features that change how files are found, and are understood: file types in folders, a journal
# that was not played back, extents, 64 bits, multiple mounts, flexible groups, seeds of checksums,
# large folders.
_KNOWN = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x4000
_PIECE = 1 << 20
_LONGEST_FOLDER = 1 << 26
_ATTRIBUTES = 0xEA020000
_PREFIXES = {1: "user.", 6: "security."}
_ACLS = {2: "system.posix_acl_access", 3: "system.posix_acl_default"}
_WITH_ID = (2, 8)  # kinds of entries of an ACL that name a user or a group


@dataclass(frozen=True, slots=True)
class Inode:
    """A file, folder or link as the file system has it."""

    number: int
    raw: bytes

    def _at(self, form: str, place: int) -> int:
        return int(struct.unpack_from(form, self.raw, place)[0])

    @property
    def mode(self) -> int:
        return self._at("<H", 0)

    @property
    def owner(self) -> tuple[int, int]:
        """User and group."""
        user, group = self._at("<H", 2), self._at("<H", 24)
        return user | self._at("<H", 120) << 16, group | self._at("<H", 122) << 16

    @property
    def size(self) -> int:
        return self._at("<I", 4) | self._at("<I", 108) << 32

    @property
    def links(self) -> int:
        return self._at("<H", 26)

    @property
    def flags(self) -> int:
        return self._at("<I", 32)

    @property
    def blocks(self) -> bytes:
        """Where its content is, or a short link's text."""
        return self.raw[40:100]

    @property
    def extra(self) -> int:
        """Bytes of fields beyond the first 128."""
        return self._at("<H", 128) if len(self.raw) > 128 else 0

    @property
    def attributes(self) -> int:
        """The block with further attributes, or 0."""
        return self._at("<I", 104) | self._at("<H", 118) << 32

    @property
    def changed_ns(self) -> int:
        """When its content was changed."""
        seconds, more = self._at("<i", 16), self._at("<I", 136) if self.extra >= 12 else 0
        return (seconds + ((more & 3) << 32)) * 10**9 + (more >> 2)


class FileSystem:
    """The file system from byte `offset` of a descriptor on; `TaskError` for another one."""

    def __init__(self, disk: int, offset: int) -> None:
        self._disk, self._offset = disk, offset
        head = self._bytes(_SUPER, 1024)
        if struct.unpack_from("<H", head, 56)[0] != _MAGIC:
            raise TaskError("the image's root partition is not ext4")
        incompatible = struct.unpack_from("<I", head, 96)[0]
        if strange := incompatible & ~_KNOWN:
            raise TaskError(
                f"the image's ext4 has features that are read by the machine's root only "
                f"({strange:#x}): start the lab as root"
            )
        self.block = 1024 << struct.unpack_from("<I", head, 24)[0]
        self._per_group = struct.unpack_from("<I", head, 40)[0]
        self._inode = struct.unpack_from("<H", head, 88)[0]
        wide = bool(incompatible & 0x80)
        self._entry = struct.unpack_from("<H", head, 254)[0] if wide else 32
        self._wide = self._entry >= 64
        self._groups = (struct.unpack_from("<I", head, 20)[0] + 1) * self.block

    def _bytes(self, place: int, count: int) -> bytes:
        found = os.pread(self._disk, count, self._offset + place)
        if len(found) != count:
            raise TaskError("the image ends in the middle of its file system")
        return found

    def inode(self, number: int) -> Inode:
        """A file by its number."""
        group, index = divmod(number - 1, self._per_group)
        entry = self._bytes(self._groups + group * self._entry, self._entry)
        table = struct.unpack_from("<I", entry, 8)[0]
        if self._wide:
            table |= struct.unpack_from("<I", entry, 40)[0] << 32
        place = table * self.block + index * self._inode
        return Inode(number, self._bytes(place, self._inode))

    def pieces(self, inode: Inode) -> Iterator[tuple[int, bytes]]:
        """The content of a file without its holes: where each piece begins, and the piece."""
        for first, count, start in self._runs(inode):
            place, end = first * self.block, min((first + count) * self.block, inode.size)
            while place < end:
                length = min(_PIECE, end - place)
                yield place, self._bytes(start * self.block + place - first * self.block, length)
                place += length

    def _runs(self, inode: Inode) -> Iterator[tuple[int, int, int]]:
        """(first block of the file, how many, first block of the disk)."""
        if inode.flags & _INLINE:
            raise TaskError("the image's ext4 has files inside of inodes: start the lab as root")
        if inode.flags & _EXTENTS:
            yield from self._extents(inode.blocks, 6)
            return
        place = 0
        for index, block in enumerate(struct.unpack("<15I", inode.blocks)):
            depth = max(index - 11, 0)
            yield from self._indirect(block, depth, place)
            place += (self.block // 4) ** depth
            if place * self.block >= inode.size:
                return

    def _extents(self, node: bytes, most: int) -> Iterator[tuple[int, int, int]]:
        magic, count, _, depth = struct.unpack_from("<4H", node)
        if magic != 0xF30A or depth >= most:
            raise TaskError("the image's file system is damaged")
        for place in range(12, 12 + 12 * count, 12):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, place)
                block = self._bytes((low | high << 32) * self.block, self.block)
                yield from self._extents(block, depth)
                continue
            first, length, high, low = struct.unpack_from("<IHHI", node, place)
            if length <= 0x8000:  # else it is reserved only, and reads as a hole
                yield first, length, low | high << 32

    def _indirect(self, block: int, depth: int, first: int) -> Iterator[tuple[int, int, int]]:
        if block == 0:
            return
        if depth == 0:
            yield first, 1, block
            return
        each = (self.block // 4) ** (depth - 1)
        table = struct.unpack(f"<{self.block // 4}I", self._bytes(block * self.block, self.block))
        for index, below in enumerate(table):
            yield from self._indirect(below, depth - 1, first + index * each)

    def entries(self, folder: Inode) -> Iterator[tuple[str, int]]:
        """Names in a folder and numbers of what they are."""
        if folder.size > _LONGEST_FOLDER:
            raise TaskError("the image's file system is damaged")
        for _, piece in self.pieces(folder):
            place = 0
            while place + 8 <= len(piece):
                number, step, length = struct.unpack_from("<IHB", piece, place)
                if step < 8:
                    raise TaskError("the image's file system is damaged")
                name = piece[place + 8 : place + 8 + length]
                if number and name not in (b".", b".."):
                    if not name or b"/" in name or b"\0" in name:
                        raise TaskError("the image's file system has a name that is none")
                    yield os.fsdecode(name), number
                place += step

    def link(self, inode: Inode) -> bytes:
        """Where a symbolic link leads."""
        if inode.size < 60 and not inode.flags & _EXTENTS:
            return inode.blocks[: inode.size]
        return b"".join(piece for _, piece in self.pieces(inode))[:4096]

    def attributes(self, inode: Inode) -> Iterator[tuple[str, bytes]]:
        """Extended attributes that a user may set, and ACLs, as `setxattr` takes them."""
        start = 128 + inode.extra
        if inode.extra and struct.unpack_from("<I", inode.raw, start)[0] == _ATTRIBUTES:
            yield from _listed(inode.raw, start + 4, start + 4)
        if inode.attributes:
            block = self._bytes(inode.attributes * self.block, self.block)
            yield from _listed(block, 32, 0)


def _listed(data: bytes, place: int, values: int) -> Iterator[tuple[str, bytes]]:
    while place + 16 <= len(data) and data[place : place + 4] != bytes(4):
        length, kind, offset, _, size = struct.unpack_from("<BBHII", data, place)
        name = data[place + 16 : place + 16 + length].decode(errors="replace")
        value = data[values + offset : values + offset + size]
        if kind in _PREFIXES:
            yield _PREFIXES[kind] + name, value
        elif kind in _ACLS:
            yield _ACLS[kind], _acl(value)
        place += (16 + length + 3) & ~3


def _acl(value: bytes) -> bytes:
    """An ACL as programs know it; the disk leaves out ids that say nothing."""
    found, place = [struct.pack("<I", 2)], 4
    while place + 4 <= len(value):
        tag, rights = struct.unpack_from("<HH", value, place)
        place += 4
        number = 0xFFFFFFFF
        if tag in _WITH_ID:
            number = struct.unpack_from("<I", value, place)[0]
            place += 4
        found.append(struct.pack("<HHI", tag, rights, number))
    return b"".join(found)


def copy_out(raw: Path, offset: int, target: Path) -> None:
    """All files of a file system in `target`, which is made; devices and sockets are left out,
    which guests have of their own."""
    disk = os.open(raw, os.O_RDONLY)
    try:
        _Copy(FileSystem(disk, offset)).folder(_ROOT, target)
    except (struct.error, IndexError) as error:
        raise TaskError(f"the image's file system is damaged ({error})") from error
    finally:
        os.close(disk)


class _Copy:
    def __init__(self, system: FileSystem) -> None:
        self._system = system
        self._done: dict[int, Path] = {}  # files that have more than one name, and folders

    def folder(self, number: int, target: Path) -> None:
        if number in self._done:
            raise TaskError("the image's file system is damaged: a folder is in two places")
        inode = self._system.inode(number)
        target.mkdir(mode=0o700)  # fails where anything is already
        self._done[number] = target
        for name, below in self._system.entries(inode):
            self._entry(below, target / name)
        self._settle(inode, target)

    def _entry(self, number: int, target: Path) -> None:
        inode = self._system.inode(number)
        if stat.S_ISDIR(inode.mode):
            self.folder(number, target)
        elif number in self._done:
            os.link(self._done[number], target, follow_symlinks=False)
        elif self._made(inode, target):
            self._settle(inode, target)
            if inode.links > 1:
                self._done[number] = target

    def _made(self, inode: Inode, target: Path) -> bool:
        if stat.S_ISREG(inode.mode):
            self._file(inode, target)
        elif stat.S_ISLNK(inode.mode):
            os.symlink(self._system.link(inode), os.fsencode(target))
        elif stat.S_ISFIFO(inode.mode):
            os.mkfifo(target, 0o600)
        else:
            return False
        return True

    def _file(self, inode: Inode, target: Path) -> None:
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            for place, piece in self._system.pieces(inode):
                os.pwrite(made, piece, place)
            os.truncate(made, inode.size)
        finally:
            os.close(made)

    def _settle(self, inode: Inode, target: Path) -> None:
        """Owner, rights, attributes and time, in the order in which none undoes another."""
        os.chown(target, *inode.owner, follow_symlinks=False)
        if not stat.S_ISLNK(inode.mode):
            os.chmod(target, stat.S_IMODE(inode.mode))
        for name, value in self._system.attributes(inode):
            os.setxattr(target, name, value, follow_symlinks=False)
        os.utime(target, ns=(inode.changed_ns, inode.changed_ns), follow_symlinks=False)
