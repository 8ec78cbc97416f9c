"""The process of a machine: started in the holder's namespaces, found again by its group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.engines.base import Log
from lab.engines.lxc import groups
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.programs import ENVIRONMENT, start_of, with_groups
from lab.errors import TaskError

_GROUP = "qemu."
POLL_S = 0.05
LISTENS_S = 120.0
_BACKGROUND = 'errors=$1; shift; "$@" > "$errors" 2>&1 < /dev/null &'


@dataclass(frozen=True, slots=True)
class Process:
    """The process of one guest's machine, as the kernel counts it now."""

    holder: Holder
    vmid: int

    @property
    def group(self) -> Path:
        """The machine's control group of version 2."""
        return self.holder.groups / f"{_GROUP}{self.vmid}"

    @property
    def pid(self) -> int | None:
        """Its number, as this process counts; None when the machine is off."""
        for pid in groups.processes(self.group):
            if start_of(pid) is not None:
                return pid
        return None

    @property
    def folder(self) -> str:
        """Where the machine listens, as the holder sees it."""
        return f"/run/machines/{self.vmid}"

    def socket(self, name: str) -> str:
        """A socket of the machine, as this process can use it."""
        return str(self.holder.seen(f"{self.folder}/{name}"))

    async def launch(
        self, command: Sequence[str], taps: Sequence[int], errors: Path, log: Log
    ) -> None:
        """Start the machine, which inherits descriptors; it listens when this returns.

        QEMU may start no programs, not even itself in the background: a shell does that.
        """
        self.holder.seen(self.folder).mkdir(parents=True, exist_ok=True)
        self.group.mkdir(exist_ok=True)
        inside = self.holder.inside("sh", "-c", _BACKGROUND, "sh", str(errors), *command)
        words = with_groups([str(self.group / "cgroup.procs")], inside)
        started = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            env=ENVIRONMENT,
            pass_fds=taps,
            start_new_session=True,
        )
        await started.wait()
        if await self._listens():
            return
        for line in errors.read_text(errors="replace").splitlines():
            log(f"kvm: {line.removeprefix('qemu-system-x86_64: ')}")
        raise TaskError("start failed: QEMU exited with code 1")

    async def _listens(self) -> bool:
        """Wait until the machine has made its last socket; False when it has ended instead."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LISTENS_S
        while not os.path.exists(self.socket("agent")):
            if self.pid is None or loop.time() > until:
                return False
            await asyncio.sleep(POLL_S)
        return self.pid is not None

    def kill(self) -> None:
        """End everything in its group at once."""
        for pid in groups.processes(self.group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def gone(self, timeout_s: float) -> bool:
        """Wait for the machine's end; False when it is still there after that time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while self.pid is not None:
            if loop.time() > until:
                return False
            await asyncio.sleep(POLL_S)
        return True

    def forget(self) -> None:
        """Remove what is left of an ended machine."""
        if self.holder.running:
            shutil.rmtree(self.holder.seen(self.folder), ignore_errors=True)
            groups.remove_tree(self.group)


def running(holder: Holder) -> set[int]:
    """The numbers of all guests whose machines run."""
    return {
        int(path.name.removeprefix(_GROUP))
        for path in holder.groups.glob(f"{_GROUP}*")
        if path.name.removeprefix(_GROUP).isdigit() and groups.processes(path)
    }
