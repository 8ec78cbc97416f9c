"""Control groups of guests: which processes are theirs, and what they may use.

Two kinds of hosts: with all controllers on version 2, a guest's limits are lines of its LXC
configuration. With controllers on version 1 (a hybrid host), the guest's programs are started
inside groups of those controllers that have the limits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PERIOD_US = 100_000
HOME = "init.scope"
"""The group below a lab's own one in which everything is that belongs to no guest."""
SERVER = "lab.server"
"""The group of a lab's server below one that was given to a user."""

_MEANT = {"cpu": "cores", "memory": "memory"}


class Limits:
    """Groups of one lab in the controllers that are on version 1; none elsewhere."""

    def __init__(self, name: str, mounts: str = "/proc/mounts") -> None:
        self._name = name
        self._roots = _version1(mounts)

    def files(self, vmid: int) -> list[str]:
        """What a process of a guest writes its number into."""
        return [str(self._folder(kind, vmid) / "cgroup.procs") for kind in self._roots]

    def set(self, vmid: int, cores: int, memory_mib: int) -> None:
        """Give a guest its cores and memory; a limit that the host refuses is left out."""
        values = {
            "cpu": [("cpu.cfs_period_us", PERIOD_US), ("cpu.cfs_quota_us", cores * PERIOD_US)],
            "memory": [("memory.limit_in_bytes", memory_mib << 20)],
        }
        for kind in self._roots:
            folder = self._folder(kind, vmid)
            folder.mkdir(parents=True, exist_ok=True)
            for name, value in values[kind]:
                with contextlib.suppress(OSError):
                    (folder / name).write_text(str(value))

    def memory(self, vmid: int) -> int | None:
        """Bytes that a guest uses; None where they are not counted."""
        if "memory" not in self._roots:
            return None
        return _number(self._folder("memory", vmid) / "memory.usage_in_bytes")

    def remove(self, vmid: int) -> None:
        """Remove a guest's groups; its programs have ended."""
        for kind in self._roots:
            remove_tree(self._folder(kind, vmid))

    def remove_all(self) -> None:
        """Remove the groups of all guests."""
        for root in self._roots.values():
            remove_tree(root / self._name)

    def missing(self, root: Path) -> list[str]:
        """A sentence for each limit that no guest below `root` of version 2 can have."""
        there = {name.partition(".")[0] for name in version2(root, 1, 1)} | self._roots.keys()
        return [
            f"no limit of {meant}: this machine's control groups have no controller {kind}"
            for kind, meant in _MEANT.items()
            if kind not in there
        ]

    def _folder(self, kind: str, vmid: int) -> Path:
        return self._roots[kind] / self._name / str(vmid)


def version2(root: Path, cores: int, memory_mib: int) -> dict[str, str]:
    """A guest's limits below a lab's group of version 2, by file: those that the kernel has there.

    What does not fit into its memory goes to no disk: a guest's machine would have none for that.
    """
    limits = {
        "cpu.max": f"{cores * PERIOD_US} {PERIOD_US}",
        "memory.max": str(memory_mib << 20),
        "memory.swap.max": "0",
    }
    return {name: value for name, value in limits.items() if (root / HOME / name).exists()}


def place(mounts: str = "/proc/mounts", own: str = "/proc/self/cgroup") -> Path | None:
    """Where groups of version 2 can be made: where they are mounted, or, for a user, in the group
    that somebody has given this process to divide. None where they cannot."""
    for found, _ in mounted("cgroup2", mounts):
        if os.access(found, os.W_OK):
            return found
        if given := _given(found, own):
            return given
    return None


def mounted(kind: str, mounts: str = "/proc/mounts") -> Iterator[tuple[Path, set[str]]]:
    """Where control groups of a version (`cgroup`, `cgroup2`) are mounted, with the options."""
    for line in Path(mounts).read_text().splitlines():
        _, found, of_kind, options, *_ = line.split()
        if of_kind == kind:
            yield Path(found), set(options.split(","))


def _given(root: Path, own: str) -> Path | None:
    for line in Path(own).read_text().splitlines():
        number, _, path = line.split(":", 2)
        if number == "0":
            folder = root / path.lstrip("/")
            folder = folder.parent if folder.name == SERVER else folder
            files = [folder, folder / "cgroup.procs"]
            if folder != root and all(os.access(each, os.W_OK) for each in files):
                return folder
    return None


def leave(given: Path) -> None:
    """Go from a group into one below it: of a group with processes nothing can be divided."""
    with contextlib.suppress(OSError):
        (given / SERVER).mkdir(exist_ok=True)
        (given / SERVER / "cgroup.procs").write_text(str(os.getpid()))


def _version1(mounts: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for place, options in mounted("cgroup", mounts):
            if os.access(place, os.W_OK):
                found |= dict.fromkeys({"cpu", "memory"} & options, place)
    return found


def remove_tree(folder: Path) -> None:
    """Remove groups from the leaves up; one that is in use stays."""
    for place, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)


def processes(folder: Path) -> list[int]:
    """Numbers of the processes in a group, as this process sees them."""
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def populated(folder: Path) -> bool:
    """Whether processes are in a group or below it, those included that are just ending."""
    try:
        return "populated 1" in (folder / "cgroup.events").read_text().splitlines()
    except OSError:
        return False


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
