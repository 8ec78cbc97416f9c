"""What stands in the way of a lab without the machine's root, and what to type for it."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from lab.rootless.keeper import MAKE, inside

NEEDED = {"newuidmap": "uidmap", "newgidmap": "uidmap"}
"""Programs, and Debian's packages that they are in."""

IDS = 65535
"""Of users and groups in a guest, root excepted, who is the lab's user."""

_LOCKS = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
}
"""Settings that keep users from making namespaces: when they do, and what they are to be."""


def needed() -> dict[str, str]:
    """Programs that this process needs to go into namespaces where it is root."""
    return {} if inside() else NEEDED


def entered() -> tuple[str, ...]:
    """Begin of a command that is tried out as root of namespaces."""
    return () if inside() else MAKE


def no_namespaces() -> str | None:
    """Why this user gets no namespaces with all ids of a guest, in a sentence; None if it does."""
    command = [*entered(), "cat", "/proc/self/uid_map", "/proc/self/gid_map"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None if _enough(done.stdout) else _no_ids()
    for name, (closed, opened) in _LOCKS.items():
        if _text(name) == closed:
            key = name.removeprefix("/proc/sys/").replace("/", ".")
            return f"users may not make namespaces here; as root type: sysctl {key}={opened}"
    if not all(_has_line(Path(f"/etc/{name}")) for name in ("subuid", "subgid")):
        return _no_ids()
    said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    if "map-auto" in done.stderr:
        return f"unshare is older than util-linux 2.38 ({said}); start the lab as root"
    return f"this user gets no namespaces ({said}); start the lab as root"


def _enough(maps: str) -> bool:
    """Whether users as well as groups are mapped, 0 to 65534 at least."""
    rows = [list(map(int, line.split())) for line in maps.splitlines()]
    starts = [index for index, row in enumerate(rows) if row[0] == 0]
    parts = [rows[start:end] for start, end in zip(starts, [*starts[1:], None], strict=False)]
    return len(parts) == 2 and all(sum(row[2] for row in part) >= IDS for part in parts)


def _no_ids() -> str:
    name = _name()
    return (
        f"{name} has no 65536 subordinate ids, which a guest's users and groups get; as root type: "
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name} (other numbers "
        "where /etc/subuid has these already)"
    )


def _name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.geteuid())


def _has_line(file: Path) -> bool:
    names = {_name(), str(os.geteuid())}
    text = _text(str(file)) or ""
    return any(line.partition(":")[0] in names for line in text.splitlines())


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def scope() -> list[str]:
    """Begin of a command that runs in a group of its own which this user may divide, by the user's
    systemd; empty where there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not runtime or not Path(runtime, "systemd/private").exists():
        return []
    if shutil.which("systemd-run") is None:
        return []
    options = ("--user", "--scope", "--quiet", "--collect", "-p", "Delegate=yes")
    return ["systemd-run", *options, "--"]


NO_GROUP = (
    "guests need a control group of version 2 that this user may divide, and the shell is in none: "
    "log in by systemd, whose users have one; or start the lab as root"
)
