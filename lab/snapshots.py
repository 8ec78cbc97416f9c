"""Snapshots of a guest of either kind: the steps that virtual machines and containers share.

A snapshot is a copy of the configuration, kept in the guest's record, and the state of each of its
disks under the same name, kept with the volume. The configuration's lock (`snapshot`,
`snapshot-delete`, `rollback`) is in the record while the disks are worked on, so that others are
refused meanwhile; a host that dies in between leaves it there, as a real one does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import ApiError, TaskError, failure
from lab.guests import drives
from lab.machine import Config, Machine
from lab.storage.features import has_feature
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

Load = Callable[["Lab", Any, str], Machine]
Start = Callable[[Call, str, int], Awaitable[str]]
_UNUSED = re.compile(r"unused\d+")
# What a snapshot does not copy from a configuration, nor a rollback from a snapshot.
_OWN = frozenset({"snapstate", "snaptime", "vmstate", "lock", "digest", "description"})


def has_snapshot_feature(machine: Machine) -> bool:
    """Whether all disks of a guest are where snapshots can be taken."""
    return all(
        has_feature(machine.lab, volid, "snapshot") for _, volid in machine.disks(machine.config)
    )


def listed(machine: Machine) -> list[dict[str, Any]]:
    """The snapshots as a list shows them, and the present as the entry `current`."""
    rows = [_listed(name, snap) for name, snap in machine.snapshots.items()]
    current: dict[str, Any] = {
        "name": "current",
        "digest": machine.digest,
        "running": int(machine.running),
        "description": "You are here!",
    }
    if parent := machine.config.get("parent"):
        current["parent"] = parent
    return [*rows, current]


def _listed(name: str, snap: Config) -> dict[str, Any]:
    row = {
        "name": name,
        "snaptime": snap.get("snaptime", 0),
        "description": snap.get("description", ""),
    }
    return row | {key: snap[key] for key in ("parent", "snapstate") if snap.get(key)}


class Snapshots:
    """Takes, removes and goes back to snapshots of one guest, inside a task.

    A kind of guest fills in what only it does: saving memory, stopping, starting.
    """

    def __init__(self, call: Call, log: TaskLog) -> None:
        self._lab, self._log = call.lab, log
        self._vmid, self._node = int(call.params["vmid"]), str(call.params["node"])
        self.load()  # one that is not there fails before it is waited for

    def load(self) -> Machine:
        """The guest as it is now; 500 when it is not on that host."""
        raise NotImplementedError

    def check_state(self, machine: Machine, *, with_memory: bool) -> None:
        """500 when the guest has what cannot be in a snapshot."""

    def save_memory(self, machine: Machine, snap: Config, name: str) -> None:
        """Make room for the memory of a running guest and note it in the snapshot."""

    async def freeze(self, _machine: Machine, /) -> bool:
        """Hold the guest's writes; whether there is something to thaw afterwards."""
        return False

    async def thaw(self, machine: Machine) -> None:
        """Let the guest write again."""

    async def take(self, machine: Machine, name: str, *, with_memory: bool) -> None:
        """Have the engine take the snapshot."""

    async def forget(self, machine: Machine, name: str) -> None:
        """Have the engine forget a snapshot."""

    async def restore(self, machine: Machine, name: str) -> None:
        """Have the engine go back to a snapshot; the guest is off."""

    async def stop(self, machine: Machine) -> None:
        """Stop a running guest at once."""

    async def restored(self, machine: Machine, snap: Config) -> None:
        """What follows once the configuration is that of the snapshot again."""

    async def create(self, name: str, description: str | None, *, with_memory: bool) -> None:
        """Take a snapshot; nothing stays of one that fails."""
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            self._prepare(machine, name, description, with_memory=with_memory)
        try:
            await self._take_disks(machine, name)
        except (ApiError, TaskError):
            self._log("snapshot create failed: starting cleanup")
            await self._undo(name)
            raise
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            machine.snapshot(name).pop("snapstate", None)
            machine.config.pop("lock", None)
            machine.config["parent"] = name
            machine.save()

    def _prepare(
        self, machine: Machine, name: str, description: str | None, *, with_memory: bool
    ) -> None:
        if machine.template:
            raise TaskError("you can't take a snapshot if it's a template")
        machine.check_lock()
        self.check_state(machine, with_memory=with_memory)
        if name in machine.snapshots:
            raise TaskError(f"snapshot name '{name}' already used")
        if not has_snapshot_feature(machine):
            raise TaskError("snapshot feature is not available")
        for other, snap in machine.snapshots.items():
            if snap.get("parent") == name:
                self._log(
                    f"deleting parent '{name}' reference from '{other}' to avoid bogus snapshot"
                    " cycle."
                )
                del snap["parent"]
        snap = machine.snapshots[name] = _copied(machine.config)
        if with_memory and machine.running:
            self.save_memory(machine, snap, name)
        snap |= {"snapstate": "prepare", "snaptime": int(time.time())}
        if description:
            snap["description"] = description
        machine.config["lock"] = "snapshot"
        machine.save()

    async def _take_disks(self, machine: Machine, name: str) -> None:
        snap, rows = machine.snapshot(name), volumes(self._lab)
        with_memory = "vmstate" in snap
        frozen = machine.running and not with_memory and await self.freeze(machine)
        try:
            await self.take(machine, name, with_memory=with_memory)
            for key, volid in machine.disks(snap):
                self._log(f"snapshotting 'drive-{key}' ({volid})")
                rows.snapshot(rows.require(volid, machine.node), name)
        finally:
            if frozen:
                await self.thaw(machine)

    async def _undo(self, name: str) -> None:
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            snap = machine.snapshots.pop(name)
            self._free_memory(machine, snap)
            self._drop_disks(machine, snap, name, force=True)
            machine.config.pop("lock", None)
            machine.save()

    def _free_memory(self, machine: Machine, snap: Config) -> None:
        if volid := snap.get("vmstate"):
            volumes(self._lab).free(volid, machine.node)

    def _drop_disks(self, machine: Machine, snap: Config, name: str, *, force: bool) -> list[str]:
        rows, freed = volumes(self._lab), []
        for _, volid in machine.disks(snap):
            try:
                rows.drop_snapshot(rows.require(volid, machine.node), name)
                freed.append(volid)
            except ApiError as error:
                if not force:
                    raise
                self._log(error.message)
        return freed

    async def delete(self, name: str, *, force: bool) -> None:
        """Remove a snapshot; its children become those of its parent.

        A disk that only the snapshot had is kept as unused. With `force` the entry goes even when
        a disk's snapshot cannot be removed.
        """
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            snap = machine.snapshot(name)
            machine.check_lock()
            if machine.template:
                raise TaskError("you can't delete a snapshot if vm is a template")
            machine.config["lock"] = "snapshot-delete"
            snap["snapstate"] = "delete"
            machine.save()
        await self.forget(machine, name)
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            snap = machine.snapshot(name)
            self._free_memory(machine, snap)
            freed = self._drop_disks(machine, snap, name, force=force)
            _unlink(machine, name, snap.get("parent"))
            machine.config.pop("lock", None)
            for volid in freed:
                drives.add_unused(machine.config, volid)
            machine.save()

    async def roll_back(self, name: str) -> None:
        """Bring disks and configuration back to a snapshot; the guest is stopped for it.

        Changes that were pending are lost. Disks that the snapshot does not have become unused.
        """
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            self._check_roll_back(machine, name)
            machine.check_lock()
            if machine.running:
                await self.stop(machine)
            machine.config["lock"] = "rollback"
            machine.save()
        rows = volumes(self._lab)
        for _, volid in machine.disks(machine.snapshot(name)):
            rows.roll_back(rows.require(volid, machine.node), name)
        await self.restore(machine, name)
        async with self._lab.locks.guest(self._vmid):
            machine = self.load()
            snap = machine.snapshot(name)
            _apply(machine, name, snap)
            await self.restored(machine, snap)

    def _check_roll_back(self, machine: Machine, name: str) -> None:
        if machine.template:
            raise TaskError("you can't rollback if vm is a template")
        snap, rows = machine.snapshot(name), volumes(self._lab)
        for _, volid in machine.disks(snap):
            rows.check_roll_back(rows.require(volid, machine.node), name)
        if state := snap.get("snapstate"):
            text = f"unable to rollback to incomplete snapshot (snapstate = {state})"
            raise failure(text)


async def create_in_task(
    call: Call, kind: str, of: type[Snapshots], *, with_memory: bool = False
) -> str:
    """Take a snapshot in a task of that kind."""
    params = call.params

    async def work(log: TaskLog) -> None:
        name, text = params["snapname"], params.get("description")
        await of(call, log).create(name, text, with_memory=with_memory)

    return await call.lab.tasks.start(call, params["node"], kind, str(params["vmid"]), work)


async def roll_back_in_task(call: Call, kind: str, of: type[Snapshots], start: Start) -> str:
    """Go back to a snapshot in a task of that kind; with `start` the guest runs afterwards."""
    params = call.params

    async def work(log: TaskLog) -> None:
        snapshots = of(call, log)
        await snapshots.roll_back(params["snapname"])
        if params.get("start") and not snapshots.load().running:
            await start(call, params["node"], int(params["vmid"]))

    return await call.lab.tasks.start(call, params["node"], kind, str(params["vmid"]), work)


async def delete_in_task(call: Call, kind: str, of: type[Snapshots]) -> str:
    """Remove a snapshot in a task of that kind."""
    params = call.params

    async def work(log: TaskLog) -> None:
        await of(call, log).delete(params["snapname"], force=bool(params.get("force")))

    return await call.lab.tasks.start(call, params["node"], kind, str(params["vmid"]), work)


async def describe(call: Call, load: Load) -> None:
    """Change the description of a snapshot, when one is given."""
    params = call.params
    if "description" not in params:
        return
    async with call.lab.locks.guest(params["vmid"]):
        machine = load(call.lab, params["vmid"], params["node"])
        machine.check_lock()
        machine.snapshot(params["snapname"])["description"] = params["description"]
        machine.save()


def _copied(config: Config) -> Config:
    return {k: v for k, v in config.items() if k not in _OWN and not _UNUSED.fullmatch(k)}


def _unlink(machine: Machine, name: str, parent: str | None) -> None:
    """Take a snapshot out of the tree."""
    del machine.snapshots[name]
    for config in (machine.config, *machine.snapshots.values()):
        if config.get("parent") == name:
            if parent:
                config["parent"] = parent
            else:
                del config["parent"]


def _apply(machine: Machine, name: str, snap: Config) -> None:
    """Make the snapshot's configuration the present one."""
    kept = {
        key: value
        for key, value in machine.config.items()
        if key == "description" or _UNUSED.fullmatch(key)
    }
    known = {volid for _, volid in machine.disks(snap)}
    for _, volid in machine.disks(machine.config):
        if volid not in known:
            drives.add_unused(kept, volid)
    machine.config = kept | _copied(snap) | {"parent": name}
    machine.pending, machine.pending_delete = {}, {}
    machine.save()
