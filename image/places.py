"""Where finished images are kept, and how one is known to belong to the present recipes.

`~/.cache/practicum/images`: `NAME-FLAVOUR.qcow2`, and beside it `NAME-FLAVOUR.json` with its
checksum, packages and the digest of what it was built from. Files appear by rename.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .recipes import Recipe

_ROOM = Path(__file__).resolve().parent


def cache_root() -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/practicum/images."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "practicum" / "images"


def disk_file(folder: Path, recipe: Recipe) -> Path:
    """The image."""
    return folder / f"{recipe.file}.qcow2"


def record_file(folder: Path, recipe: Recipe) -> Path:
    """What is known about the image."""
    return folder / f"{recipe.file}.json"


def inputs_digest(recipe: Recipe, epoch: int) -> str:
    """A fingerprint of what this room puts into an image: its own code and the recipe."""
    digest = hashlib.sha256(f"{recipe} {epoch}".encode())
    for path in sorted(_ROOM.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def record(folder: Path, recipe: Recipe) -> dict[str, Any] | None:
    """What is known about a finished image, or None when there is none."""
    try:
        found = json.loads(record_file(folder, recipe).read_text())
    except (OSError, ValueError):
        return None
    there = disk_file(folder, recipe).is_file()
    return found if there and isinstance(found, dict) else None


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one build; a second one waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
