"""The file system of a machine that is off, for who repairs it from below.

QEMU's storage daemon shows the disk's content as a file, whose root partition is mounted. The
daemon is a process of the keeper (`lab/engines/mounted.py`); it is the last one to end, because
what was written goes through it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from lab.engines.base import Disk
from lab.engines.lxc.images import root_offset
from lab.engines.lxc.programs import run
from lab.engines.mounted import mounted

_TABLE = 1 << 20
"""Bytes of a disk in which its table of partitions is."""

_SCRIPT = """
: > /mnt/raw
qemu-storage-daemon --blockdev "driver=file,node-name=file,filename=$2" \
    --blockdev driver=qcow2,node-name=disk,file=file,discard=unmap \
    --export type=fuse,id=raw,node-name=disk,mountpoint=/mnt/raw,writable=on > /mnt/said 2>&1 &
daemon=$!
until [ -s /mnt/raw ]; do
    kill -0 $daemon 2> /dev/null || { cat /mnt/said >&2; exit 1; }
    sleep 0.05
done
mount -t ext4 -o "loop,nosuid,nodev,noexec,offset=$3" /mnt/raw "$1"
end() {
    mount -t proc proc /proc
    for each in /proc/[0-9]*; do
        pid=${each#/proc/}
        [ "$pid" -eq 1 ] || [ "$pid" -eq $daemon ] || kill -9 "$pid" 2> /dev/null || :
    done
    umount -R "$1" 2> /dev/null || :
    kill $daemon
    wait $daemon || :
}
"""


@contextlib.asynccontextmanager
async def opened(entered: list[str], file: Path) -> AsyncIterator[Disk]:
    """Mount the root partition of a disk that nobody has open; `TaskError` when that fails."""
    with tempfile.TemporaryDirectory(prefix=".table-", dir=file.parent) as folder:
        table = Path(folder) / "table"
        pieces = (f"bs={_TABLE}", "count=1", f"if={file}", f"of={table}")
        await run("qemu-img", "dd", "-f", "qcow2", "-O", "raw", *pieces)
        offset = root_offset(table)
    async with mounted(entered, _SCRIPT, str(file).replace(",", ",,"), str(offset)) as disk:
        yield disk
