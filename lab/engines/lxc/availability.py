"""Whether this machine can run guests as containers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from lab.engines import availability
from lab.engines.lxc import groups
from lab.network import system
from lab.rootless import reasons
from lab.rootless.keeper import inside, wanted

OVERLAY = "userxattr,"
"""What overlays of a user need to be told: without it no folder replaces one of the image."""

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
mkdir -p lower/folder upper work merged
mount -t overlay overlay -o "$1lowerdir=$PWD/lower,upperdir=$PWD/upper,workdir=$PWD/work" merged
rmdir merged/folder
mkdir merged/folder
"""
# What the guests' holder does, as far as a kernel may refuse it to a user.
_HOLDER = """
mount -t proc proc /proc
mount -t sysfs none /sys
mount -t cgroup2 none /sys/fs/cgroup
"""
_NAMESPACES = ("unshare", "--mount", "--net", "--cgroup", "--pid", "--fork", "sh", "-ec", _HOLDER)


def missing_packages() -> list[str]:
    """Debian's packages with the programs that are not there."""
    return availability.missing_packages(_needed())


def _needed() -> dict[str, str]:
    return _NEEDED | (reasons.needed() if _rootless() else {})


def _rootless() -> bool:
    """Whether guests would run without the machine's root."""
    return wanted() or inside()


def unavailable(folder: Path | None = None) -> str | None:
    """Why guests cannot run here, in a sentence that says what to do; None when they can.

    `folder` is where their disks are to be; it is made when it is not there.
    """
    if _rootless():
        reason = _without_root()
        return reason if reason or folder is None else _no_overlay(folder)
    use = "loop devices, by which an image is mounted"
    reason = availability.lacking("containers", _NEEDED, Path("/dev/loop-control"), use)
    return reason if reason or folder is None else _no_overlay(folder)


def _without_root() -> str | None:
    """Why this user cannot run guests, wherever their disks are; None if it can."""
    reason = availability.not_here("containers") or availability.to_install(_needed())
    if reason := reason or reasons.no_namespaces():
        return reason
    command = [*reasons.entered(), *_NAMESPACES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return f"this machine's kernel lets no user run guests ({said}); start the lab as root"
    if not system.BRIDGE_SETTINGS.is_dir():
        return "the guests' firewalls need a module; as root type: modprobe br_netfilter"
    if groups.place() is None and not reasons.scope():
        return reasons.NO_GROUP
    return None


def _no_overlay(folder: Path) -> str | None:
    """Why disks of guests cannot be in a folder; None when they can."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".overlay-", dir=folder) as place:
        begin = reasons.entered() if _rootless() else ()
        options = OVERLAY if _rootless() else ""
        command = [*begin, "unshare", "--mount", "sh", "-ec", _OVERLAY, "sh", options]
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
