"""Work inside a running guest, through its namespaces: no login, no service of the guest's.

Files are opened below the guest's root by the kernel itself (`openat2`): a link that a participant
has made leads nowhere else.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.engines.lxc import groups
from lab.engines.lxc.holder import Holder
from lab.engines.lxc.programs import with_groups

_OPENAT2 = 437
# A guest's own ones: those that it shares with the machine a user may not enter.
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
_IN_ROOT, _NO_MAGIC_LINKS = 0x10, 0x02
_LIBC = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_in(root: str, path: str, flags: int, mode: int = 0o644) -> int:
    """A descriptor of a file as somebody inside `root` would find it; OSError as `open` has."""
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    creates = bool(flags & os.O_CREAT)
    # A pipe that a participant put there must not stop the lab, nor a device reach the machine.
    how = _How(
        flags | os.O_CLOEXEC | os.O_NONBLOCK, mode if creates else 0, _IN_ROOT | _NO_MAGIC_LINKS
    )
    try:
        found = _LIBC.syscall(
            _OPENAT2, folder, os.fsencode(path.lstrip("/") or "."),
            ctypes.byref(how), ctypes.sizeof(how),
        )  # fmt: skip
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        kind = os.fstat(found).st_mode
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            os.close(found)
            raise OSError(errno.ENXIO, "a device is not opened", path)
        return int(found)
    finally:
        os.close(folder)


@dataclass(frozen=True, slots=True)
class Container:
    """The processes of one guest, as the kernel counts them now."""

    holder: Holder
    vmid: int

    @property
    def group(self) -> Path:
        """The guest's control group of version 2."""
        return self.holder.groups / f"lxc.payload.{self.vmid}"

    @property
    def monitor(self) -> int | None:
        """The process that waits for the guest's end; None when the guest is off."""
        found = groups.processes(self.holder.groups / f"lxc.monitor.{self.vmid}")
        return found[0] if found else None

    @property
    def init(self) -> int | None:
        """The guest's first process, as this process counts; None while it has none."""
        for folder in (self.group / "init.scope", self.group):
            if found := groups.processes(folder):
                return found[0]
        return None

    @property
    def over(self) -> bool:
        """Whether nothing of the guest is left, so that its groups can be removed: its last
        processes may end a moment after its first one."""
        if self.monitor is not None or self.init is not None:
            return False
        return not any(
            groups.populated(self.holder.groups / f"lxc.{kind}.{self.vmid}")
            for kind in ("payload", "monitor")
        )

    @property
    def up(self) -> bool:
        """Whether the guest's system has come far enough to be asked things."""
        init = self.init
        return init is not None and os.path.exists(
            os.path.join(f"/proc/{init}/root", "run/systemd/private")
        )

    @property
    def root(self) -> str:
        """The guest's root folder, for `open_in`."""
        return f"/proc/{self.init}/root"

    def command(self, *command: str, limits: list[str]) -> list[str]:
        """A command as a process of the guest, in its groups too."""
        agent = self.group / "agent"
        agent.mkdir(exist_ok=True)
        entered = ["nsenter", "-t", str(self.init), *_NAMESPACES, "--root", "--wd"]
        return with_groups([str(agent / "cgroup.procs"), *limits], [*entered, "--", *command])

    def limit(self, limits: Mapping[str, str]) -> None:
        """Change the guest's limits of version 2; one that the kernel refuses stays as it was."""
        for name, value in limits.items():
            with contextlib.suppress(OSError):
                (self.group / name).write_text(value)

    def freeze(self, frozen: bool) -> None:
        """Let all processes of the guest wait, or go on."""
        (self.group / "cgroup.freeze").write_text("1" if frozen else "0")

    def remove_groups(self) -> None:
        """Remove what is left of an ended guest's groups: a next start would use other names."""
        for kind in ("payload", "monitor"):
            groups.remove_tree(self.holder.groups / f"lxc.{kind}.{self.vmid}")
