"""Programs of a build that nothing outlives: no process of theirs, and no mount."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CONFINED = (
    "setpriv", "--pdeathsig", "KILL",
    "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
"""Before a command: its processes are a family whose first one takes all others along, and what
they mount is seen by nobody else and gone with them. Both also when the build itself is killed."""


def run(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> int:
    """Exit code of a program whose words go to a log. An interrupt ends it with its family.

    A session of its own keeps the terminal's interrupt from it: package managers that are told to
    end in the middle tidy up for longer than anybody waits.
    """
    with (
        log.open("ab") as file,
        subprocess.Popen(
            [*CONFINED, *command], env=variables, stdin=subprocess.DEVNULL, stdout=file,
            stderr=file, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the family's first process: it has ended once all others have."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found: list[str] = []
    with contextlib.suppress(OSError):
        found = children.read_text().split()
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    if not found:
        process.kill()
    process.wait()
