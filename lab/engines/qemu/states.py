"""Snapshots of a machine's disks, and of its memory: kept in the disks' own files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from lab.engines.qemu import disks
from lab.engines.qemu.drives import node_name
from lab.engines.qemu.monitor import Monitor
from lab.errors import TaskError

SUSPENDED = "practicum-suspended"
"""The state of a guest that is suspended to disk, for which no name was given."""

Files = Mapping[str, Path]
"""The files of a guest's disks by key."""


def _nodes(files: Files) -> list[str]:
    return [node_name(key) for key in sorted(files)]


def _memory_node(files: Files) -> str:
    """The disk that keeps the memory: the first one that is no firmware's."""
    for key in sorted(files):
        if key != "efidisk0":
            return node_name(key)
    raise TaskError("a guest without a disk has no place for its memory")


async def take(files: Files, tag: str, monitor: Monitor | None, *, with_memory: bool) -> None:
    """Keep the state of all disks under a name: at one moment when the machine runs."""
    if monitor is None:
        for file in files.values():
            try:
                await disks.snapshot(file, "c", tag)
            except TaskError:
                await drop(files, tag, None)
                raise
    elif with_memory:
        await monitor.job(
            "snapshot-save", tag=tag, vmstate=_memory_node(files), devices=_nodes(files)
        )
    elif files:
        actions = [
            {"type": "blockdev-snapshot-internal-sync", "data": {"device": node, "name": tag}}
            for node in _nodes(files)
        ]
        await monitor.order("transaction", actions=actions)


async def drop(files: Files, tag: str, monitor: Monitor | None) -> None:
    """Remove a state from the disks that have it."""
    for key, file in files.items():
        if tag not in await disks.tags(file):
            continue
        if monitor is None:
            await disks.snapshot(file, "d", tag)
        else:
            order = "blockdev-snapshot-delete-internal-sync"
            await monitor.order(order, device=node_name(key), name=tag)


async def go_back(files: Files, tag: str) -> None:
    """Bring the disks of a machine that is off back to a state that all of them have."""
    for file in files.values():
        if tag not in await disks.tags(file):
            raise TaskError(f"snapshot '{tag}' has no disk")
    for file in files.values():
        await disks.snapshot(file, "a", tag)


async def wake(files: Files, tag: str, monitor: Monitor) -> None:
    """Load disks and memory into a machine that waits for its first instruction, and let it go."""
    await monitor.job("snapshot-load", tag=tag, vmstate=_memory_node(files), devices=_nodes(files))
    await monitor.order("cont")
    if tag == SUSPENDED:
        with contextlib.suppress(TaskError):
            await drop(files, tag, monitor)


async def copy_running(monitor: Monitor, copies: Mapping[str, Path]) -> None:
    """Copy disks of a machine that runs, all as they are at one moment; targets by key."""
    actions = []
    added = []
    try:
        for key, target in copies.items():
            name = f"copy-{key}"
            file = {"driver": "file", "filename": str(target)}
            await monitor.order("blockdev-add", driver="qcow2", **{"node-name": name}, file=file)
            added.append(name)
            data = {"job-id": name, "device": node_name(key), "target": name, "sync": "full",
                    "auto-dismiss": False}  # fmt: skip
            actions.append({"type": "blockdev-backup", "data": data})
        await monitor.order("transaction", actions=actions)
        for name in added:
            await monitor.wait_for(name)
    finally:
        for name in added:
            with contextlib.suppress(TaskError):
                await monitor.order("blockdev-del", **{"node-name": name})
