"""What every engine that boots guests needs of the machine, checked in one order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_NAMESPACES = ("unshare", "--mount", "--net", "--cgroup", "--pid", "--fork", "true")


def missing_packages(needed: Mapping[str, str]) -> list[str]:
    """Debian's packages, of those that the needed programs are in, that are not there."""
    absent = (package for program, package in needed.items() if not shutil.which(program))
    return list(dict.fromkeys(absent))


def lacking(kind: str, needed: Mapping[str, str], device: Path, use: str) -> str | None:
    """Why guests of a kind cannot run here, in a sentence that says what to do; None if they can.

    `device` is one that the kernel has to offer, `use` what for.
    """
    if sys.platform != "linux":
        return f"guests run as {kind} on Linux only"
    if os.geteuid() != 0:
        return (
            "guests that really run need root: start the lab as root, or write `engine: none` "
            "under practicum:lab"
        )
    if missing := missing_packages(needed):
        return f"programs are missing; on Debian type: apt install {' '.join(missing)}"
    if not device.exists():
        return f"this machine has no {use}"
    if subprocess.run(_NAMESPACES, capture_output=True, check=False).returncode != 0:
        return "this machine does not let root make namespaces"
    return None
