"""The keeper: a process whose user and mount namespaces a lab without root lives in.

There the lab's user is root, with the user's subordinate ids for everybody else: bridges, packet
rules, overlays and containers are made as by root, and none of it can touch the machine. The server
and all programs of a lab go in and keep the machine's network, so that they listen and ask where
they would anyway. The keeper outlives the server as the guests' holder does, and is found again
by a file.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from lab.engines.lxc.programs import ENVIRONMENT, start_of
from lab.errors import TaskError

WHOLE = ["0", "0", "4294967295"]
"""How the machine's own ids are mapped: to themselves."""

MAKE = ("unshare", "--map-auto", "--map-root-user", "--mount")
"""Begin of a command in namespaces where a user is root; by `newuidmap` and `newgidmap`."""

GONE_S = 10.0
POLL_S = 0.02
_USER, _MOUNT = 0x10000000, 0x00020000
_FILE = "keeper.json"
# /run is the lab's own, but for what the machine's resolver is asked by.
_SCRIPT = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/netns /mnt/lxc /mnt/lock
for each in systemd/resolve resolvconf NetworkManager connman; do
    if [ -d "/run/$each" ]; then
        mkdir -p "/mnt/$each"
        mount --rbind "/run/$each" "/mnt/$each"
    fi
done
mount -n --move /mnt /run
echo ready
exec sleep infinity > /dev/null 2>&1
"""


def inside() -> bool:
    """Whether root, for this process, is not the machine's root."""
    try:
        return Path("/proc/self/uid_map").read_text().split() != WHOLE
    except OSError:
        return False


def wanted() -> bool:
    """Whether this process has to go into such namespaces before it can make any other."""
    return os.geteuid() != 0


class Keeper:
    """The keeper of the lab whose state folder is `state`."""

    def __init__(self, state: Path) -> None:
        self._record = state / _FILE

    @property
    def pid(self) -> int | None:
        """Its number; None when there is none."""
        try:
            record: dict[str, int] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return None
        return record["pid"] if start_of(record["pid"]) == record["start"] else None

    def make(self) -> None:
        """Make one; `TaskError` with the system's words when that is refused."""
        process = subprocess.Popen(
            [*MAKE, "sh", "-ec", _SCRIPT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=ENVIRONMENT, cwd="/", start_new_session=True, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            if not process.stdout.readline():
                said = process.stderr.read().strip() or "no word"
                process.wait()
                raise TaskError(f"the lab's namespaces cannot be made: {said}")
        record = {"pid": process.pid, "start": start_of(process.pid)}
        self._record.write_text(json.dumps(record))
        process.returncode = 0  # it is not waited for: it stays

    def enter(self) -> None:
        """Go into its namespaces, where this process is root from then on."""
        libc = ctypes.CDLL(None, use_errno=True)
        here, pid = os.getcwd(), self.pid
        for kind, flag in (("user", _USER), ("mnt", _MOUNT)):
            namespace = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
            try:
                if libc.setns(namespace, flag) != 0:
                    number = ctypes.get_errno()
                    raise TaskError(
                        f"the lab's namespaces cannot be entered: {os.strerror(number)}"
                    )
            finally:
                os.close(namespace)
        os.chdir(here)
        if os.geteuid() != 0:  # the machine's root, who is nobody in a user's namespaces
            os.setgid(0)
            os.setuid(0)

    def end(self) -> None:
        """End it; what was made in its namespaces has ended before."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + GONE_S
            while start_of(pid) is not None:
                if time.monotonic() > until:
                    raise TaskError(f"the keeper of the lab (process {pid}) does not end")
                time.sleep(POLL_S)
        self._record.unlink(missing_ok=True)
