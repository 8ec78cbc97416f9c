"""Whether this machine can run guests as containers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.network import system

_NEEDED = {
    "lxc-start": "lxc",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    "mount": "mount",
}


def unavailable() -> str | None:
    """Why guests cannot run here, in a sentence that says what to do; None when they can."""
    if sys.platform != "linux":
        return "guests run as containers on Linux only"
    if os.geteuid() != 0:
        return (
            "guests that really run need root: start the lab as root, or write `engine: none` "
            "under practicum:lab"
        )
    missing = [package for program, package in _NEEDED.items() if not shutil.which(program)]
    if missing:
        return f"programs are missing; on Debian type: apt install {' '.join(missing)}"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this kernel has no overlay file system, which guests' disks are made of"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices, by which an image is mounted"
    probe = ["unshare", "--mount", "--net", "--cgroup", "--pid", "--fork", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        return "this machine does not let root make namespaces"
    return system.unavailable()
