"""Whether this machine can run guests in QEMU, and by what: KVM or software emulation."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from lab.engines import availability
from lab.network import system

_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
    "unshare": "util-linux",
}
KVM = Path("/dev/kvm")
PROBE_S = 30.0
# A machine without a disk, that runs for a moment and is told to quit.
_PROBE = (
    '{"execute": "qmp_capabilities"}\n{"execute": "cont"}\n'
    '{"execute": "query-status"}\n{"execute": "quit"}\n'
)


def unavailable() -> str | None:
    """Why guests cannot run here, in a sentence that says what to do; None when they can."""
    use = "/dev/net/tun, by which machines are plugged into networks"
    reason = availability.lacking("machines of QEMU", _NEEDED, Path("/dev/net/tun"), use)
    return reason or system.unavailable()


@cache
def accelerator() -> str:
    """`kvm` where a machine really runs by it, else `tcg`, software emulation.

    The device alone says little: inside a virtual machine it may be there and fail at the first
    instruction. So a machine is started for a moment.
    """
    if not os.access(KVM, os.R_OK | os.W_OK):
        return "tcg"
    command = [
        "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "16", "-S", "-nodefaults",
        "-no-user-config", "-display", "none", "-qmp", "stdio",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, input=_PROBE.encode(), capture_output=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "tcg"
    runs = done.returncode == 0 and b'"status": "running"' in done.stdout
    return "kvm" if runs else "tcg"
