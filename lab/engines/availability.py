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


def not_here(kind: str) -> str | None:
    """A sentence where guests of a kind can be on no machine of this system's."""
    return None if sys.platform == "linux" else f"guests run as {kind} on Linux only"


def to_install(needed: Mapping[str, str]) -> str | None:
    """What to type for the needed programs; None when they are there."""
    missing = missing_packages(needed)
    line = f"programs are missing; on Debian type: apt install {' '.join(missing)}"
    return line if missing else None


def lacking(kind: str, needed: Mapping[str, str], device: Path, use: str) -> str | None:
    """Why guests of a kind cannot run here, in a sentence that says what to do; None if they can.

    `device` is one that the kernel has to offer, `use` what for.
    """
    if reason := not_here(kind):
        return reason
    if os.geteuid() != 0:
        return (
            "guests that really run need root: start the lab as root, or write `engine: none` "
            "under practicum:lab"
        )
    if reason := to_install(needed):
        return reason
    if not device.exists():
        return f"this machine has no {use}"
    if subprocess.run(_NAMESPACES, capture_output=True, check=False).returncode != 0:
        return "this machine does not let root make namespaces"
    return None
