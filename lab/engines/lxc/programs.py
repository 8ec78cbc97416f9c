"""Other programs, run for what they print."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from lab.errors import TaskError

# What a guest's programs find in their environment is not the lab's business.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


async def run(*command: str, given: bytes = b"", check: bool = True) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of a program; `TaskError` when it fails and `check` is set."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    try:
        out, errors = await process.communicate(given or None)
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    code = process.returncode or 0
    if code and check:
        raise TaskError(f"{command[0]}: {words(errors) or f'status {code}'}")
    return code, out, errors


def words(output: bytes) -> str:
    """The last line of what a program said."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def with_groups(files: Sequence[str], command: Sequence[str]) -> list[str]:
    """A command that first enters control groups, given by their `cgroup.procs`."""
    if not files:
        return list(command)
    script = 'while [ "$1" != -- ]; do echo $$ > "$1" || :; shift; done; shift; exec "$@"'
    return ["sh", "-c", script, "sh", *files, "--", *command]


def start_of(pid: int) -> int | None:
    """When a process was started, in ticks since the machine was; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are there."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(name))
    return found
