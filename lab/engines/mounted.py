"""A guest's file system for a while: mounted where nobody else sees it, gone with who asked for it.

A keeper has the mounts and the processes in namespaces of its own, and waits for the end of its
input, which is the end of this process at the latest. With the keeper the kernel ends every
program that works on the files, and then the mounts: nothing is left to be cleared up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence

from lab.engines.base import Disk
from lab.engines.lxc.programs import ENVIRONMENT, children, words
from lab.errors import TaskError

READY_S = 60.0
GONE_S = 30.0
_KEEPER = """
end() { kill -9 -1 2> /dev/null || :; umount -R "$1" 2> /dev/null || :; }
mount -t tmpfs -o mode=700 tmpfs /mnt
mkdir /mnt/disk
set -- /mnt/disk "$@"
%s
echo "$1"
while read -r _; do :; done
end "$1"
"""


@contextlib.asynccontextmanager
async def mounted(entered: Sequence[str], script: str, *arguments: str) -> AsyncIterator[Disk]:
    """Mount by a script, to which `$1` is the folder and `$2`, … are the arguments.

    `entered` is the begin of a command that runs in the right namespaces. A script whose mount
    needs a process of its own says in a function `end` how all of it ends. `TaskError` with the
    script's last words when it fails.
    """
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec"]
    process = await asyncio.create_subprocess_exec(
        *entered, *command, _KEEPER % script, "sh", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT, cwd="/", start_new_session=True,
    )  # fmt: skip
    try:
        yield await _ready(process)
    finally:
        await asyncio.shield(_end(process))


async def _ready(process: asyncio.subprocess.Process) -> Disk:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except TimeoutError:
        raise TaskError(f"the disk cannot be mounted within {READY_S:.0f} s") from None
    if not line.endswith(b"\n"):
        said = words(await process.stderr.read())
        raise TaskError(f"the disk cannot be mounted: {said or 'no word'}")
    return Disk(process=_innermost(process.pid), place=line.decode().rstrip("\n"))


def _innermost(pid: int) -> int:
    """The keeper behind the programs that have made its namespaces."""
    while below := children(pid):
        pid = below[0]
    return pid


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let the keeper end, and see that it has: only then are the files free again."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), GONE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_innermost(process.pid), signal.SIGKILL)
        await process.wait()
