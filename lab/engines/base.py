"""The contract between the API and whatever runs guests.

The API keeps configuration, volumes and the wanted status; an engine makes them happen. Each
method is called with the guest's lock held, inside the task that the caller watches: an exception
of type `TaskError` or `ApiError` fails that task with its text, a line given to `log` is shown in
it. `guest` is the guest's row: `vmid`, `node`, `config`, `status`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lab.guests.record import Guest

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a running guest uses: `cpu` as a share of its cores, memory and traffic in bytes.

    `nics` maps device names to (received, sent) as the guest sees them.
    """

    cpu: float = 0
    memory: int = 0
    disk_read: int = 0
    disk_write: int = 0
    nics: dict[str, tuple[int, int]] = field(default_factory=dict)


class Console(Protocol):
    """A serial terminal of a running guest, as one who looks at it has it; several may look."""

    async def read(self) -> bytes:
        """What the guest shows next; empty when its terminal has ended."""

    async def write(self, data: bytes, /) -> None:
        """Keys that were pressed."""

    def resize(self, columns: int, rows: int, /) -> None:
        """The window has another size; nothing where a terminal has none, as a serial port."""

    def close(self) -> None:
        """Look no more; the terminal goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The file system of a guest that is off, mounted for `process` alone; gone with it.

    `place` is its root folder as that process sees it: others find it through the process's root
    in /proc, and programs go there by `nsenter -t <process> --mount --pid`. Neither devices nor
    programs of it can be used.
    """

    process: int
    place: str


class Engine(Protocol):
    """Runs guests; `name` is what the lab's settings call it."""

    name: str

    async def start(self, guest: Guest, log: Log) -> None:
        """Boot a stopped guest."""

    async def shutdown(self, guest: Guest, timeout_s: float, log: Log, /) -> bool:
        """Ask a guest's operating system to power off; False when it did not within the time."""

    async def stop(self, guest: Guest, log: Log, /) -> None:
        """Cut the power."""

    async def reset(self, guest: Guest) -> None:
        """Press the reset button."""

    async def pause(self, guest: Guest) -> None:
        """Freeze a running guest."""

    async def resume(self, guest: Guest) -> None:
        """Let a frozen guest go on."""

    async def reconfigure(self, guest: Guest, changed: frozenset[str]) -> None:
        """Take over configuration keys that were changed while the guest runs."""

    async def migrate(self, guest: Guest, target: str, log: Log) -> None:
        """Bring a guest, running or not, to another host; `guest.node` is still the old one."""

    async def clone(
        self, source: Guest, vmid: int, snapshot: str | None, /, *, linked: bool
    ) -> None:
        """Give the new guest `vmid` the content of another one's disks, now or at a snapshot."""

    async def fill(self, guest: Guest) -> None:
        """Give volumes of a guest that were made as copies of others their content, now."""

    async def resize(self, guest: Guest, key: str, size: int, /) -> None:
        """A disk of a guest, running or not, has grown to `size` bytes."""

    async def destroy(self, guest: Guest) -> None:
        """Remove what is kept of a stopped guest."""

    async def snapshot(self, guest: Guest, name: str, with_memory: bool, /) -> None:
        """Keep the state of the disks under a name, and of the memory when that is asked for.

        A guest that is suspended to disk is kept under the name `suspend`; its next start goes on
        from there.
        """

    async def drop_snapshot(self, guest: Guest, name: str) -> None:
        """Forget a snapshot."""

    async def roll_back(self, guest: Guest, name: str) -> None:
        """Bring the disks of a stopped guest back; memory that was kept is used by `start`."""

    async def agent(self, guest: Guest, command: str, arguments: dict[str, Any], /) -> Any:
        """What the guest agent answers; None when no agent runs in the guest."""

    async def console(self, guest: Guest, port: str, /) -> Console:
        """The terminal behind a running guest's serial port (`serial0`); `TaskError` without."""

    def disk(self, guest: Guest, /) -> AbstractAsyncContextManager[Disk]:
        """The files of a stopped guest's system disk, for as long as this is held, and not longer
        than this process lives; `TaskError` when they cannot be had."""

    def figures(self, vmid: int, config: dict[str, Any]) -> Figures:
        """What a running guest used when the engine last looked, some seconds ago at most."""

    async def close(self) -> None:
        """The lab ends; what runs goes on."""

    async def reconcile(self, guests: Iterable[Guest]) -> frozenset[int]:
        """The numbers of those guests, marked as running, that really run after a restart."""
