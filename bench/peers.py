"""Peers from the package index: each pinned, in a venv of its own in the cache folder.

They run as processes; nothing of them is imported here.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

from bench.processes import BenchError


def folder(package: str, version: str) -> Path:
    """The venv of a peer: ${XDG_CACHE_HOME:-~/.cache}/practicum/bench/NAME-VERSION."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "practicum" / "bench" / f"{package}-{version}"


def installed(package: str, version: str) -> Path:
    """The folder of the peer's programs, installed if need be; `BenchError` when that fails."""
    place = folder(package, version)
    done = place / "complete"
    if not done.exists():
        venv.EnvBuilder(clear=True, with_pip=True).create(place)
        command = [str(place / "bin" / "python"), "-m", "pip", "-q", "install"]
        pip = subprocess.run(
            [*command, f"{package}=={version}"], capture_output=True, text=True, check=False
        )
        if pip.returncode != 0:
            last = (pip.stderr.strip().splitlines() or ["no output"])[-1]
            raise BenchError(f"{package} {version} could not be installed: {last}")
        done.touch()
    return place / "bin"


def variables(programs: Path) -> dict[str, str]:
    """What a peer runs with: its own programs first on the path, and no seed of chance."""
    return {
        "PATH": f"{programs}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
    }
