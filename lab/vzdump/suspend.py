"""How a guest stands still while it is saved: it is off, frozen, or not stopped at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from lab.engines import engine_of
from lab.guests.power import shut_down_guest, start_guest
from lab.guests.record import Guest
from lab.guests.record import load as load_guest
from lab.lxc.power import start_container, stop_container
from lab.lxc.record import Container
from lab.lxc.record import load as load_container
from lab.snapshots import has_snapshot_feature

if TYPE_CHECKING:
    from types import TracebackType

    from lab.machine import Machine
    from lab.tasks import TaskLog

STOP_WAIT_S = 600


class Pause:
    """Nothing to do: the guest is off, or what is saved is a snapshot of it."""

    def __init__(self, machine: Machine, mode: str, log: TaskLog) -> None:
        self.mode = mode
        self._machine, self._log = machine, log

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.end()

    async def begin(self) -> None:
        """Bring the guest to a stand."""

    async def end(self) -> None:
        """Let it go on."""


class _Frozen(Pause):
    """A virtual machine that is frozen meanwhile."""

    async def begin(self) -> None:
        self._log("INFO: suspending guest")
        if isinstance(self._machine, Guest):
            await engine_of(self._machine.lab).pause(self._machine)

    async def end(self) -> None:
        self._log("INFO: resume vm")
        if isinstance(self._machine, Guest):
            await engine_of(self._machine.lab).resume(self._machine)


class _Restarted(Pause):
    """A guest that is shut down, and started again afterwards.

    The lock of the backup does not hold up its own restart.
    """

    async def begin(self) -> None:
        self._log("INFO: stopping virtual guest")
        machine = self._machine
        async with machine.lab.locks.guest(machine.vmid):
            if isinstance(machine, Guest):
                guest = load_guest(machine.lab, machine.vmid, machine.node)
                await shut_down_guest(guest, self._log, STOP_WAIT_S, force=True)
            else:
                stop_container(load_container(machine.lab, machine.vmid, machine.node))

    async def end(self) -> None:
        self._log("INFO: restarting vm")
        machine = self._machine
        async with machine.lab.locks.guest(machine.vmid):
            if isinstance(machine, Guest):
                guest = load_guest(machine.lab, machine.vmid, machine.node)
                await start_guest(guest, self._log, skip_lock=True)
            else:
                container = load_container(machine.lab, machine.vmid, machine.node)
                start_container(container)
        self._log("INFO: guest is online again after <1 seconds")


def of(machine: Machine, mode: str, log: TaskLog) -> Pause:
    """How a guest is saved in a mode; a container whose volumes have no snapshots is suspended."""
    if mode == "snapshot" and isinstance(machine, Container) and not has_snapshot_feature(machine):
        log("INFO: mode failure - some volumes do not support snapshots")
        log("INFO: trying 'suspend' mode instead")
        mode = "suspend"
    if not machine.running or mode == "snapshot":
        return Pause(machine, mode, log)
    if mode == "stop":
        return _Restarted(machine, mode, log)
    kind = _Frozen if isinstance(machine, Guest) else Pause
    return kind(machine, mode, log)
