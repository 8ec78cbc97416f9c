"""Files that come to a storage from outside, by upload or download: names, checks, placing."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import TaskError, bad_parameter
from lab.storage import definitions, names
from lab.storage.definitions import Config
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab

_FOLDER = re.compile(r"^.*[/\\]")
_UNSAFE = re.compile(r"[^a-zA-Z0-9_.-]")
_QCOW2_MAGIC = b"QFI\xfb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a file goes: its volume id, and its name on the storage."""

    volid: str
    filename: str
    content: str
    path: str


def normalize(filename: str) -> str:
    """The file name without folders, with underscores for unusual characters."""
    return _UNSAFE.sub("_", _FOLDER.sub("", filename.rstrip("\n")))


def target(storage: str, config: Config, content: str, filename: str) -> Target:
    """The place of a file, its name checked for the kind of content."""
    name = normalize(filename)
    patterns = {
        "iso": names.ISO,
        "vztmpl": names.CONTAINER_TEMPLATE,
        "import": names.UPLOADED_IMAGE,
    }
    if not patterns[content].fullmatch(name):
        words = "invalid filename or wrong extension" if content == "import" else (
            "wrong file extension")  # fmt: skip
        raise bad_parameter("filename", words)
    return Target(
        volid=f"{storage}:{content}/{name}",
        filename=name,
        content=content,
        path=f"{definitions.folder(storage, config, content)}/{name}",
    )


def checksum(file: Path, algorithm: str) -> str:
    """The file's checksum in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm)).hexdigest()


def verify(file: Path, algorithm: str | None, expected: str | None) -> None:
    """`TaskError` when the file is not what the caller said it would be."""
    if algorithm is None or expected is None:
        return
    got = checksum(file, algorithm)
    if got.lower() != expected.lower():
        raise TaskError(f"checksum mismatch: got '{got}' != expect '{expected}'")


def disk_bytes(file: Path, name: str, shown: str) -> int:
    """How large the disk in an image file is; `shown` is the file's name in messages.

    A qcow2 file says so in its header; everything else is as large as the file.
    """
    if not name.endswith(".qcow2"):
        return file.stat().st_size
    with file.open("rb") as stream:
        header = stream.read(32)
    if len(header) < 32 or header[:4] != _QCOW2_MAGIC:
        raise TaskError(f"qemu-img: Could not open '{shown}': Image is not in qcow2 format")
    return int(struct.unpack(">Q", header[24:32])[0])


def place(lab: Lab, node: str, goal: Target, file: Path, shown: str) -> None:
    """Take a finished file into the storage, in place of one of the same name."""
    size = file.stat().st_size
    disk = disk_bytes(file, goal.filename, shown) if goal.content == "import" else size
    storage = goal.volid.partition(":")[0]
    shared = definitions.is_shared(definitions.storage_config(lab, storage))
    folder = Path("files") / storage / ("shared" if shared else node) / goal.content
    kept = folder / goal.filename
    (lab.settings.state / folder).mkdir(parents=True, exist_ok=True)
    file.replace(lab.settings.state / kept)
    volumes(lab).add(
        goal.volid,
        node,
        size=disk if goal.content == "import" else size,
        used=size,
        filled=True,
        file=str(kept),
    )
