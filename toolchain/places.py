"""Where everything is kept: one folder per set of pins, below the user's cache.

Nothing is ever written to ~/.pulumi. Files appear by rename, so what is there is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import pins


def cache_root() -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/practicum/toolchain."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "practicum" / "toolchain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The cache and the set in it that belongs to the present pins."""

    root: Path
    digest: str

    @property
    def set(self) -> Path:
        """The set's folder: bin/, plugins/, built/, official/, logs/."""
        return self.root / self.digest

    @property
    def bin(self) -> Path:
        """The compiled engine and language host."""
        return self.set / "bin"

    @property
    def official_bin(self) -> Path:
        """The engine and language host out of Pulumi's own archive."""
        return self.set / "official" / "bin"

    @property
    def logs(self) -> Path:
        """One log per target: the last build's output."""
        return self.set / "logs"

    @property
    def work(self) -> Path:
        """Half-made things; anything in it while nobody holds the lock is rubbish."""
        return self.root / "work"

    @property
    def go_build(self) -> Path:
        """The Go compiler's cache, removed when a set is complete."""
        return self.root / "go-build"

    @property
    def go_modules(self) -> Path:
        """Downloaded modules, if the compiler is our wheel; else the user's own cache serves."""
        return self.root / "go-modules"

    @property
    def idle_home(self) -> Path:
        """PULUMI_HOME of commands that only ask an engine for its version."""
        return self.root / "idle-home"

    def mark(self, target: pins.Target) -> Path:
        """The file whose presence says that the target is finished."""
        return self.set / "built" / f"{target.folder}.json"

    def is_built(self, target: pins.Target) -> bool:
        """True when the target was finished for these pins and its files are still there."""
        wanted = (self.mark(target), *(self.set / output for output in target.outputs))
        return all(path.is_file() for path in wanted)


def current(root: Path | None = None) -> Cache:
    """The cache for the pins of this copy of the program."""
    return Cache(root=root or cache_root(), digest=pins.set_digest())


def write_json(path: Path, value: object) -> None:
    """Write by rename, so that a reader meets the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    fresh.replace(path)


def read_json(path: Path) -> dict[str, object]:
    """The object in the file; empty when the file is absent or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def link_or_copy(source: os.PathLike[str], target: os.PathLike[str]) -> None:
    """Give the file a second name; copy it where the file system cannot. Atomic."""
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    fresh = os.path.join(folder, f".fresh.{os.getpid()}")
    if os.path.lexists(fresh):
        os.unlink(fresh)
    try:
        os.link(source, fresh)
    except OSError:
        shutil.copy2(source, fresh)
    os.replace(fresh, target)
