"""One host: version, load, and the small things clients ask for."""

from __future__ import annotations

from typing import Any

import lab as room
from lab.call import Call
from lab.routes import handles
from lab.sections.cluster import version
from lab.sections.resources import GIB, HOST_DISK, HOST_DISK_USED, read_node

KERNEL = "6.17.2-1-pve"


@handles("GET", "/nodes/{node}/version")
async def read_version(_call: Call) -> Any:
    """The same on every host."""
    return version()


@handles("GET", "/nodes/{node}/status")
async def read_status(call: Call) -> Any:
    """Load, memory and machine of a host; figures follow its running guests."""
    row = read_node(call.lab, call.params["node"])
    return {
        "cpu": row["cpu"],
        "wait": 0,
        "idle": 0,
        "loadavg": [f"{row['cpu'] * row['maxcpu']:.2f}"] * 3,
        "uptime": row["uptime"],
        "memory": _share(row["mem"], row["maxmem"]) | {"available": row["maxmem"] - row["mem"]},
        "swap": _share(0, 8 * GIB),
        "rootfs": _share(HOST_DISK_USED, HOST_DISK) | {"avail": HOST_DISK - HOST_DISK_USED},
        "ksm": {"shared": 0},
        "cpuinfo": _cpuinfo(row["maxcpu"]),
        "kversion": f"Linux {KERNEL} #1 SMP PREEMPT_DYNAMIC",
        "current-kernel": {
            "machine": "x86_64",
            "release": KERNEL,
            "sysname": "Linux",
            "version": "#1 SMP PREEMPT_DYNAMIC",
        },
        "boot-info": {"mode": "efi", "secureboot": 0},
        "pveversion": f"pve-manager/{room.API_VERSION}/{room.API_REPOID}",
    }


def _share(used: int, total: int) -> dict[str, int]:
    return {"used": used, "total": total, "free": total - used}


def _cpuinfo(cores: int) -> dict[str, Any]:
    return {
        "cores": cores,
        "cpus": cores,
        "sockets": 1,
        "model": "practicum lab",
        "mhz": "2000.000",
        "hvm": "1",
        "user_hz": 100,
        "flags": "",
    }


@handles("GET", "/nodes/{node}/netstat")
async def read_netstat(_call: Call) -> Any:
    """Traffic of tap devices; a lab's host has none."""
    return []


@handles("GET", "/nodes/{node}/subscription")
async def read_subscription(_call: Call) -> Any:
    """A lab has no subscription, and says so as a host without one does."""
    return {
        "status": "notfound",
        "message": "There is no subscription key",
        "serverid": "0" * 32,
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    }
