"""The files behind a lab's volumes: qcow2, each made when something first needs it.

A volume's row keeps the name of its file, so the file follows the volume through templates, other
storages and other guests, and goes when the volume is freed. A linked clone reads through to the
file of its base, a disk that was made from an image through to a copy of that image below the
state folder: images may be built anew, disks stay what they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.engines.lxc.images import find
from lab.engines.lxc.programs import run
from lab.errors import TaskError
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.app import Lab

FORMATS = {".qcow2": "qcow2", ".raw": "raw", ".vmdk": "vmdk", ".img": "raw"}


class Disks:
    """The files of one lab; `images` is the folder of built images."""

    def __init__(self, state: Path, images: Path) -> None:
        self._state, self._images = state, images
        self._folder = state / "disks"
        self._copies = state / "images"
        self._lock = asyncio.Lock()

    def clean(self, lab: Lab) -> None:
        """Remove what a killed lab has left half made."""
        known = {row.get("file") for _, row in lab.store.items("volume")}
        for path in self._folder.glob("*"):
            if str(path.relative_to(self._state)) not in known:
                path.unlink()

    def kept(self, row: Row) -> Path | None:
        """The file of a volume, if it has one already."""
        return self._state / row["file"] if row.get("file") else None

    async def file(self, lab: Lab, volid: str, node: str, template: Path | None = None) -> Path:
        """The file of a volume, at least as large as the volume is said to be.

        `template` is what an empty one is filled with, such as a firmware's variables.
        """
        async with self._lock:
            return await self._file(lab, volid, node, template)

    async def _file(self, lab: Lab, volid: str, node: str, template: Path | None = None) -> Path:
        row = volumes(lab).require(volid, node)
        if there := self.kept(row):
            if template is None:
                await _grow(there, row["size"])
            return there
        file = self._fresh(row)
        try:
            await self._make(lab, row, node, file, template)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return self._note(lab, volid, node, file)

    def _note(self, lab: Lab, volid: str, node: str, file: Path) -> Path:
        """Keep the file with its volume; what is written is not to be lost with the lab."""
        rows = volumes(lab)
        rows.update(
            rows.require(volid, node), file=str(file.relative_to(self._state)), copy_of=None
        )
        lab.store.commit()
        return file

    def _fresh(self, row: Row) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f"{row.get('vmid') or 0}-{secrets.token_hex(6)}.qcow2"

    async def _make(self, lab: Lab, row: Row, node: str, file: Path, template: Path | None) -> None:
        if template is not None:
            await run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(template), str(file))
            return
        backing: tuple[Path, str] | None = None
        if row.get("base"):
            backing = await self._file(lab, row["base"], node), "qcow2"
        elif row.get("copy_of"):
            await self._copy(lab, row, node, file)
            return
        elif row.get("origin"):
            backing = await self._image(lab, row["origin"], node)
        await create(file, row["size"], backing)

    async def _copy(self, lab: Lab, row: Row, node: str, file: Path) -> None:
        source = await self._file(lab, row["copy_of"], node)
        await run("qemu-img", "convert", "-O", "qcow2", str(source), str(file))
        await _grow(file, row["size"])

    async def fill(self, lab: Lab, volid: str, node: str) -> None:
        """Make a copy of a volume one now, before its source changes or goes; a disk that was made
        from an uploaded image as well, since that can be removed. A source that has nothing but an
        image of this machine is none: the copy is made from that image as well."""
        async with self._lock:
            row = volumes(lab).require(volid, node)
            if not row.get("file") and (row.get("copy_of") or self._is_uploaded(lab, row, node)):
                await self._file(lab, volid, node)

    def _is_uploaded(self, lab: Lab, row: Row, node: str) -> bool:
        image = volumes(lab).get(row["origin"], node) if row.get("origin") else None
        return bool(image and self.kept(image)) and not row.get("base")

    async def take(self, lab: Lab, volid: str, node: str, file: Path) -> None:
        """Give a volume that has none a file that was made elsewhere."""
        self._note(lab, volid, node, file)

    def spare(self, row: Row) -> Path:
        """A name for a new file of a volume."""
        return self._fresh(row)

    async def _image(self, lab: Lab, volid: str, node: str) -> tuple[Path, str]:
        """A copy of an image of our own, and its format."""
        row = volumes(lab).get(volid, node)
        kept = self.kept(row) if row else None
        source = kept or find(self._images, volid)
        form = FORMATS.get(source.suffix)
        if form is None:
            raise TaskError(f"'{volid}' is no disk image that the lab's engine qemu can read")
        status = source.stat()
        text = f"{source} {status.st_size} {status.st_mtime_ns}"
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        copy = self._copies / f"{key}.{form}"
        if not copy.exists():
            await check_self_contained(source, form, volid)
            self._copies.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = copy.with_suffix(f".{os.getpid()}")
            try:
                await run("cp", "--reflink=auto", "--sparse=always", str(source), str(fresh))
                fresh.replace(copy)
            finally:
                with contextlib.suppress(OSError):
                    fresh.unlink()
        return copy, form


async def facts(file: Path, form: str) -> dict[str, Any]:
    """What `qemu-img info` says about a file that a machine may have open."""
    command = ("qemu-img", "info", "-U", "-f", form, "--output=json", str(file))
    found: dict[str, Any] = json.loads((await run(*command))[1])
    return found


async def check_self_contained(file: Path, form: str, shown: str) -> None:
    """`TaskError` for an image that refers to other files: it could name any of this machine."""
    found = await facts(file, form)
    inner = found.get("format-specific", {}).get("data", {})
    if found.get("backing-filename") or inner.get("data-file"):
        raise TaskError(f"'{shown}' refers to another file, which an image must not")


async def create(file: Path, size: int, backing: tuple[Path, str] | None) -> None:
    """A disk of `size` bytes, or larger if what it reads through to is; else empty."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2"]
    if backing is not None:
        place, form = backing
        size = max(size, int((await facts(place, form))["virtual-size"]))
        command += ["-b", str(place), "-F", form]
    await run(*command, str(file), str(size))


async def _grow(file: Path, size: int) -> None:
    if int((await facts(file, "qcow2"))["virtual-size"]) < size:
        await run("qemu-img", "resize", "-q", "-f", "qcow2", str(file), str(size))


async def snapshot(file: Path, letter: str, tag: str) -> None:
    """Take (`c`), go back to (`a`) or remove (`d`) a snapshot in a file that nobody has open."""
    await run("qemu-img", "snapshot", f"-{letter}", tag, str(file))


async def tags(file: Path) -> list[str]:
    """The snapshots in a file."""
    found = await facts(file, "qcow2")
    return [str(each["name"]) for each in found.get("snapshots", [])]
