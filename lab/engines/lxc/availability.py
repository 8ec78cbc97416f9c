"""Whether this machine can run guests as containers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from lab.engines import availability
from lab.network import system

_NEEDED = {
    "lxc-start": "lxc",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    "mount": "mount",
    **system.NEEDED,
}
# Lays a folder over another one in a mount namespace of its own, as guests' disks are laid over
# the image, and writes through it; the machine's mounts stay as they are.
_OVERLAY = """
mount --make-rprivate /
mkdir lower upper work merged
mount -t overlay overlay -o "lowerdir=$PWD/lower,upperdir=$PWD/upper,workdir=$PWD/work" merged
: > merged/file
"""


def missing_packages() -> list[str]:
    """Debian's packages with the programs that are not there."""
    return availability.missing_packages(_NEEDED)


def unavailable(folder: Path | None = None) -> str | None:
    """Why guests cannot run here, in a sentence that says what to do; None when they can.

    `folder` is where their disks are to be; it is made when it is not there.
    """
    use = "loop devices, by which an image is mounted"
    reason = availability.lacking("containers", _NEEDED, Path("/dev/loop-control"), use)
    return reason if reason or folder is None else _no_overlay(folder)


def _no_overlay(folder: Path) -> str | None:
    """Why disks of guests cannot be in a folder; None when they can."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".overlay-", dir=folder) as place:
        command = ["unshare", "--mount", "sh", "-ec", _OVERLAY]
        if subprocess.run(command, cwd=place, capture_output=True, check=False).returncode == 0:
            return None
    kind = _file_system(folder)
    if kind == "overlay":
        kind = "overlay, as containers of Docker have"
    return (
        f"{folder} cannot hold guests' disks: they are overlays, which the kernel does not lay "
        f"over a file system of the kind {kind}; keep the state on another one, such as ext4 or "
        "xfs: PRACTICUM_STATE=DIR"
    )


def _file_system(folder: Path) -> str:
    """The kind of file system that a folder is on, as the kernel calls it."""
    device = f"{os.major(folder.stat().st_dev)}:{os.minor(folder.stat().st_dev)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2] == device:
            return rest.split()[0]
    return "unknown"
