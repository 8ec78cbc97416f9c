"""Ways to the files of a guest that is off: on a lab by its control socket, on a real site by SSH
to the host that the guest is on. Each mounts them for one piece of work only."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from event.problems import RunError
from event.services_model import Ssh
from event.stack import SiteStack
from operate.lab_control import held
from operate.lab_process import LabStatus
from operate.places import write_private
from plan.disk_program import PROGRAM
from plan.guest_disk import host_script

SHELL = 'cd "$1"; shift; if [ $# = 0 ]; then exec bash -i; else exec bash -c "$*"; fi'


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a piece of work ended: exit code, and what it said where that was not to be shown."""

    code: int
    out: bytes = b""
    errors: str = ""


class Way(Protocol):
    """A way to the files of one guest."""

    def work(self, words: Sequence[str], given: bytes) -> Done:
        """`ls PATH`, `get PATH` or `put PATH SIZE`, with what is put."""

    def shell(self, words: Sequence[str]) -> int:
        """A shell in the guest's root folder on this terminal, or a command; its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabWay:
    """Through a lab that runs on this machine; `RunError` with its words when it refuses."""

    lab: LabStatus
    vmid: int

    def work(self, words: Sequence[str], given: bytes) -> Done:
        with held(self.lab, "open-disk", vmid=self.vmid) as disk:
            do, *rest = words
            program = ["perl", "-e", PROGRAM, do, disk["place"], *rest]
            return _told([*_entered(disk["process"]), *program], given)

    def shell(self, words: Sequence[str]) -> int:
        with held(self.lab, "open-disk", vmid=self.vmid) as disk:
            program = ["bash", "-c", SHELL, "bash", disk["place"], *words]
            return _shown([*_entered(disk["process"]), *program])


def _entered(process: int) -> list[str]:
    # A user's guests are in namespaces of the user's, as whose root the files are worked on.
    whose = [] if os.geteuid() == 0 else ["--user"]
    return ["nsenter", "-t", str(process), *whose, "--mount", "--pid", "--"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWay:
    """Through SSH to a host, as root."""

    ssh: Ssh
    host: str
    vmid: int

    def work(self, words: Sequence[str], given: bytes) -> Done:
        with ExitStack() as stack:
            return _told(self._command(stack, words), given)

    def shell(self, words: Sequence[str]) -> int:
        with ExitStack() as stack:
            # With a terminal the host's side is hung up on when this one goes.
            return _shown(self._command(stack, ["shell", *words], terminal=os.isatty(0)))

    def _command(
        self, stack: ExitStack, words: Sequence[str], *, terminal: bool = False
    ) -> list[str]:
        """SSH with the host key that the site's file names."""
        access = self.ssh.hosts[self.host]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="practicum-disk-")))
        write_private(folder / "known_hosts", f"{self.host} {access.host_key}\n")
        options = [
            "BatchMode=yes", "StrictHostKeyChecking=yes", f"HostKeyAlias={self.host}",
            f"UserKnownHostsFile={folder / 'known_hosts'}", "GlobalKnownHostsFile=/dev/null",
        ]  # fmt: skip
        command = ["ssh", *(word for option in options for word in ("-o", option))]
        if self.ssh.key_file:
            command += ["-i", str(Path(self.ssh.key_file).expanduser())]
        if terminal:
            command.append("-t")
        there = ["sh", "-c", host_script(), "sh", str(self.vmid), *words]
        return [*command, f"root@{access.address or self.host}", "--", shlex.join(there)]


def way_to(site: SiteStack, lab: LabStatus | None, host: str, vmid: int) -> Way:
    """The way to a guest's files; `RunError` for a real site whose file has no SSH to the host."""
    if lab is not None:
        return LabWay(lab=lab, vmid=vmid)
    ssh = site.site.ssh
    if ssh is None or host not in ssh.hosts:
        raise RunError(
            f"{site.name} has no SSH to {host}, by which disks of its guests are reached; write "
            f"its address and hostKey below site.ssh.hosts in {site.path}"
        )
    return HostWay(ssh=ssh, host=host, vmid=vmid)


def _told(command: list[str], given: bytes) -> Done:
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False)
    except FileNotFoundError:
        raise RunError(f"{command[0]} is not on PATH; install it and type the same again") from None
    return Done(code=done.returncode, out=done.stdout, errors=done.stderr.decode(errors="replace"))


def _shown(command: list[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise RunError(f"{command[0]} is not on PATH; install it and type the same again") from None
