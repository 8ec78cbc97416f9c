"""What a result was measured on: machine, load and versions; no name and no path of a machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("pulumi", "pulumi-proxmoxve", "pydantic", "PyYAML", "aiohttp", "orjson")


def machine() -> dict[str, Any]:
    """Cores, memory in GiB, processor, kernel, and the load when the run began."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memoryGib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "processor": processor(Path("/proc/cpuinfo").read_text().splitlines()),
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "loadBefore": load(),
    }


def load() -> float:
    """Processes that wanted a core over the last minute: above the cores, figures are slower."""
    return round(os.getloadavg()[0], 2)


def processor(lines: Iterable[str]) -> str:
    """The processor's name from the lines of /proc/cpuinfo, or the architecture."""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def versions() -> dict[str, str]:
    """Python and the packages that the figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
