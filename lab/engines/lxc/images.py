"""Images as guests' lowest layer: the root partition of the very file, mounted in the holder, or,
without the machine's root, copied out of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import struct
import uuid
from pathlib import Path

from lab.engines.lxc.ext4 import copy_out
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.kept import kept
from lab.engines.lxc.programs import run
from lab.errors import TaskError
from lab.rootless.keeper import inside

SECTOR = 512
# Partitions that hold a Linux system, by the GUIDs of their kinds.
_ROOTS = (
    uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),  # root, x86-64
    uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"),  # any Linux file system
)
FLAVOURS = ("exercises", "plain")
"""Of an image that is built in several flavours, the first one that is there is used."""


def default_folder() -> Path:
    """Where `practicum image build` puts images."""
    return kept("images")


def find(folder: Path, volume: str) -> Path:
    """The file behind a volume such as `shared:import/debian-12.qcow2`; `TaskError` without one."""
    stem = volume.rpartition("/")[2].rsplit(".", 1)[0]
    names = [f"{stem}.qcow2", *(f"{stem}-{flavour}.qcow2" for flavour in FLAVOURS)]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise TaskError(
        f"there is no image for '{volume}' in {folder}; type: ./practicum image build {stem}"
    )


def root_offset(raw: Path) -> int:
    """Where the root partition of a disk begins, in bytes; 0 for a disk without partitions."""
    with raw.open("rb") as disk:
        disk.seek(SECTOR)
        header = disk.read(SECTOR)
        if header[:8] != b"EFI PART":
            return 0
        table, count, size = struct.unpack_from("<QII", header, 72)
        disk.seek(table * SECTOR)
        entries = disk.read(count * size)
    found: dict[uuid.UUID, int] = {}
    for place in range(0, len(entries), size):
        kind = uuid.UUID(bytes_le=entries[place : place + 16])
        found.setdefault(kind, struct.unpack_from("<Q", entries, place + 32)[0])
    for kind in _ROOTS:
        if kind in found:
            return found[kind] * SECTOR
    raise TaskError(f"{raw.name} has no partition with a Linux system")


class Images:
    """Images of one lab, mounted when a guest first needs them."""

    def __init__(self, holder: Holder, folder: Path, work: Path) -> None:
        self._holder, self._folder, self._work = holder, folder, work
        self._lock = asyncio.Lock()

    async def mounted(self, volume: str, file: Path | None, home: Path) -> str:
        """Where the image behind a volume is mounted, as the holder sees it.

        `file` is the volume's own file if it was uploaded or downloaded. A guest stays on the
        bits that it started from first, which its folder `home` names: an image that is built or
        uploaded anew must not change what lies below a disk.
        """
        key = await self.keep(volume, file, home)
        if inside():
            return str(await self._copied(key))
        place = f"/run/images/{key}"
        async with self._lock:
            if (await self._holder.run("mountpoint", "-q", place, check=False))[0] != 0:
                raw = self._raw(key)
                offset = root_offset(raw)
                await self._holder.run("mkdir", "-p", place)
                options = f"ro,loop,noload,offset={offset}"
                await self._holder.run("mount", "-t", "ext4", "-o", options, str(raw), place)
        return place

    async def _copied(self, key: str) -> Path:
        """The files of an image, copied out once: only the machine's root could mount it."""
        tree = self._work / key
        async with self._lock:
            if not tree.exists():
                raw, fresh = self._raw(key), tree.with_suffix(f".{os.getpid()}")
                try:
                    await asyncio.to_thread(copy_out, raw, root_offset(raw), fresh)
                    fresh.rename(tree)
                finally:
                    if fresh.exists():
                        await run("rm", "-rf", "--one-file-system", str(fresh))
        return tree

    async def keep(self, volume: str, file: Path | None, home: Path) -> str:
        """Keep the image behind a volume for a guest, whatever becomes of its file; its name."""
        note = home / "image"
        noted = note.read_text().split() if note.exists() else []
        if noted[1:] == [volume] and self._raw(noted[0]).exists():
            return noted[0]
        found = file or find(self._folder, volume)
        status = found.stat()
        text = f"{found} {status.st_size} {status.st_mtime_ns}"
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        async with self._lock:
            await self._unpack(found, self._raw(key))
        home.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{key} {volume}\n")
        return key

    def _raw(self, key: str) -> Path:
        return self._work / f"{key}.raw"

    async def _unpack(self, file: Path, raw: Path) -> None:
        """The image without compression, made once; holes take no space."""
        self._work.mkdir(parents=True, exist_ok=True)
        if not raw.exists():
            fresh = raw.with_suffix(f".{os.getpid()}")
            try:
                await run("qemu-img", "convert", "-O", "raw", str(file), str(fresh))
                fresh.replace(raw)
            finally:
                with contextlib.suppress(OSError):
                    fresh.unlink()
