"""The holder: one process that has the namespaces in which all guests of a lab live.

It owns mounts, control groups, process numbers and a network of its own; with it everything ends.
Its number is kept in a file, by which a lab that starts again finds it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lab.engines.lxc import groups
from lab.engines.lxc.programs import ENVIRONMENT, children, run, start_of
from lab.errors import TaskError

READY_S = 20.0
GONE_S = 20.0
POLL_S = 0.02
_GROUPS = "groups.place"

# Outside the new control group namespace: join a group of our own, which becomes its root. Groups
# that are mounted are used where they are: one more mount would set the options of all (such as
# `nsdelegate`) anew.
_OUTER = """
mount --make-rprivate /
groups=$3
if [ -z "$groups" ]; then
    groups=$1/groups
    mkdir -p "$groups"
    mount -t cgroup2 none "$groups"
fi
mkdir -p "$groups/$2"
for each in cpu memory pids; do
    echo "+$each" > "$groups/cgroup.subtree_control" 2> /dev/null || :
done
echo $$ > "$groups/$2/cgroup.procs"
exec unshare --cgroup sh -ec "$4" sh "$1" "$groups/$2" "$5"
"""
# In that namespace: leave its root, which may hold no process if groups below it are to be limited.
_BETWEEN = """
mkdir -p "$2/init.scope"
echo $$ > "$2/init.scope/cgroup.procs"
if mountpoint -q "$1/groups"; then umount "$1/groups"; fi
exec unshare --net --pid --fork --kill-child sh -ec "$3" sh "$1"
"""
# Inside: what liblxc looks at shows the lab only; a user cannot take the machine's /sys away, and
# covers it. Children that nobody waits for are not kept.
_INNER = """
mount -t proc proc /proc
umount -l -R /sys 2> /dev/null || :
mount -t sysfs none /sys
mount -t cgroup2 none /sys/fs/cgroup
for each in cpu memory pids; do
    echo "+$each" > /sys/fs/cgroup/cgroup.subtree_control 2> /dev/null || :
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lxc /run/lock /run/networks /run/images
ip link set lo up
: > "$1/ready"
trap '' CHLD
exec sleep infinity
"""


class Holder:
    """The holder of one lab, whose files are in `folder`; there after `start` or `adopt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
        self.name = f"practicum-{digest}"
        self._record = folder / "holder.json"
        self._outer = self._inner = 0
        self._making = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether it is known and there: one that is ending has a process, and no namespaces."""
        alive = bool(self._inner) and start_of(self._inner) is not None
        return alive and os.path.exists(f"/proc/{self._inner}/ns/mnt")

    @property
    def groups(self) -> Path:
        """The root of the guests' control groups, as a path that this process can use."""
        return self.seen("/sys/fs/cgroup")

    @property
    def entrance(self) -> str:
        """What a program that is to make groups in here writes its number into before: where the
        machine says `nsdelegate`, nothing goes from one namespace's groups into another's."""
        return str(self.groups / groups.HOME / "cgroup.procs")

    @property
    def place(self) -> Path | None:
        """Where the group is in which all of its groups are; None without one."""
        try:
            text = (self.folder / _GROUPS).read_text()
        except OSError:
            return None
        return Path(text) if text else None

    def seen(self, path: str) -> Path:
        """A path of the holder's mounts, as one that this process can use."""
        return Path(f"/proc/{self._inner}/root") / path.lstrip("/")

    def adopt(self) -> bool:
        """Find the holder that an earlier lab has left, be it ending; False when there is none."""
        try:
            record: dict[str, Any] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return False
        same = all(start_of(record[name]) == record[f"{name}Start"] for name in ("outer", "inner"))
        if same:
            self._outer, self._inner = record["outer"], record["inner"]
        return same

    async def start(self) -> None:
        """Adopt the holder, or make one; `TaskError` when this machine does not allow it."""
        async with self._making:
            if not self.running and self.adopt() and not self.running:
                await self._gone()
            if not self.running:
                await self._make()

    async def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.remove_groups()
        ready, errors = self.folder / "ready", self.folder / "holder.err"
        ready.unlink(missing_ok=True)
        place = str(groups.place() or "")
        (self.folder / _GROUPS).write_text(place)
        command = ["unshare", "--mount", "sh", "-ec", _OUTER, "sh", str(self.folder), self.name]
        with errors.open("wb") as err:
            process = subprocess.Popen(
                [*command, place, _BETWEEN, _INNER], stdin=subprocess.DEVNULL, stdout=err,
                stderr=err, env=ENVIRONMENT, cwd="/", start_new_session=True,
            )  # fmt: skip
        loop = asyncio.get_running_loop()
        until = loop.time() + READY_S
        while not ready.exists():
            if process.poll() is not None or loop.time() > until:
                process.kill()
                process.wait()
                said = errors.read_text().strip() or "no word"
                raise TaskError(f"the guests' namespaces cannot be made: {said}")
            await asyncio.sleep(POLL_S)
        self._outer = process.pid
        self._inner = children(process.pid)[0]
        record = {
            name: number
            for key, pid in (("outer", self._outer), ("inner", self._inner))
            for name, number in ((key, pid), (f"{key}Start", start_of(pid)))
        }
        self._record.write_text(json.dumps(record))

    def inside(self, *command: str, network: str | None = None) -> list[str]:
        """A command that runs in the holder's namespaces, or in another network than its own."""
        net = f"--net={network}" if network else "--net"
        entered = ["nsenter", "-t", str(self._inner), "--mount", "--pid", "--cgroup", net]
        return [*entered, "--", *command]

    async def run(self, *command: str, check: bool = True) -> tuple[int, bytes, bytes]:
        """Run a program in the holder's namespaces."""
        return await run(*self.inside(*command), check=check)

    async def end(self) -> None:
        """End the holder, and so every guest; then remove what only has a name."""
        if self.running or self.adopt():
            os.kill(self._inner, signal.SIGKILL)
            await self._gone()
        self._outer = self._inner = 0
        self._record.unlink(missing_ok=True)
        self.remove_groups()

    async def _gone(self) -> None:
        """Wait until its processes have ended, and with them all namespaces."""
        loop = asyncio.get_running_loop()
        until = loop.time() + GONE_S
        while any(start_of(pid) is not None for pid in (self._inner, self._outer)):
            if loop.time() > until:
                raise TaskError(f"the guests' holder (process {self._inner}) does not end")
            await asyncio.sleep(POLL_S)

    def remove_groups(self) -> None:
        """Remove the empty control groups that a holder leaves; those of version 2 need a mount,
        which the machine has nearly always."""
        groups.Limits(self.name).remove_all()
        if self.place is not None:
            groups.remove_tree(self.place / self.name)
        (self.folder / _GROUPS).unlink(missing_ok=True)
        for place, _ in groups.mounted("cgroup2"):
            groups.remove_tree(place / self.name)
