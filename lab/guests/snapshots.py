"""Snapshots of virtual machines: list, take, read, describe, roll back, remove; features."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from lab import snapshots
from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure
from lab.formats import parse_property_string
from lab.guests import memory
from lab.guests.clone import QEMU
from lab.guests.options import RUNNING
from lab.guests.power import start_guest, start_task, stop_guest
from lab.guests.record import Guest, find_row, load, missing_file
from lab.guests.rights import require
from lab.machine import Config, Machine
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.features import has_feature

if TYPE_CHECKING:
    from lab.tasks import TaskLog

SNAPSHOTS = f"{QEMU}/snapshot"
SNAPSHOT = f"{SNAPSHOTS}/{{snapname}}"
_RESERVED = ("current", "pending")


class _OfGuest(snapshots.Snapshots):
    """Snapshots of a virtual machine, which may hold its memory."""

    def __init__(self, call: Call, log: TaskLog) -> None:
        super().__init__(call, log)
        self._engine = engine_of(call.lab)

    def load(self) -> Guest:
        return load(self._lab, self._vmid, self._node)

    def check_state(self, machine: Machine, *, with_memory: bool) -> None:
        memory.check_blockers(machine.config, with_memory=with_memory)

    def save_memory(self, machine: Machine, snap: Config, name: str) -> None:
        memory.save(machine, snap, memory.state_storage(machine), f"state-{name}")

    async def freeze(self, machine: Machine) -> bool:
        guest = _guest(machine)
        agent = parse_property_string("pve-qm-agent", str(guest.config.get("agent", "0")))
        if not agent.get("enabled") or not agent.get("freeze-fs", 1):
            self._log("skipping guest filesystem freeze - disabled in VM options")
            return False
        if await self._engine.agent(guest, "ping", {}) is None:
            text = "skipping guest filesystem freeze - agent configured but not running?"
            self._log(text)
            return False
        await self._engine.agent(guest, "fsfreeze-freeze", {})
        return True

    async def thaw(self, machine: Machine) -> None:
        await self._engine.agent(_guest(machine), "fsfreeze-thaw", {})

    async def take(self, machine: Machine, name: str, *, with_memory: bool) -> None:
        await self._engine.snapshot(_guest(machine), name, with_memory)

    async def forget(self, machine: Machine, name: str) -> None:
        await self._engine.drop_snapshot(_guest(machine), name)

    async def restore(self, machine: Machine, name: str) -> None:
        await self._engine.roll_back(_guest(machine), name)

    async def stop(self, machine: Machine) -> None:
        await stop_guest(_guest(machine), self._log)

    async def restored(self, machine: Machine, snap: Config) -> None:
        guest = _guest(machine)
        guest.unsynced.clear()
        for key in RUNNING:
            guest.config.pop(key, None)
        if guest.config.get("vmgenid", "0") != "0":
            # The guest is told that it is another generation of itself.
            guest.config["vmgenid"] = str(uuid.uuid4())
        guest.save()
        if snap.get("vmstate"):
            await start_guest(guest, self._log)


def _guest(machine: Machine) -> Guest:
    if not isinstance(machine, Guest):
        raise TypeError(f"{machine!r} is no virtual machine")
    return machine


@handles("GET", SNAPSHOTS)
async def list_snapshots(call: Call) -> list[dict[str, Any]]:
    """All snapshots and the present."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    rows = snapshots.listed(guest)
    for row in rows[:-1]:
        row["vmstate"] = int("vmstate" in guest.snapshots[row["name"]])
    return rows


@handles("POST", SNAPSHOTS)
async def create_snapshot(call: Call) -> str:
    """Take a snapshot, with the memory of a running guest when `vmstate` is set."""
    params, name = call.params, call.params["snapname"]
    with_memory = bool(params.get("vmstate"))
    if name == _RESERVED[0] or name.lower() == _RESERVED[1]:
        raise failure(f"unable to use snapshot name '{name.lower()}' (reserved name)")
    guest = load(call.lab, params["vmid"], params["node"])
    memory.check_blockers(guest.config, with_memory=with_memory)
    return await snapshots.create_in_task(call, "qmsnapshot", _OfGuest, with_memory=with_memory)


@handles("GET", f"{SNAPSHOT}/config")
async def read_snapshot(call: Call) -> dict[str, Any]:
    """The configuration that a snapshot holds, as it is: with the hash of its password."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    return dict(guest.snapshot(call.params["snapname"]))


@handles("PUT", f"{SNAPSHOT}/config")
async def change_snapshot(call: Call) -> None:
    """Change the description of a snapshot."""
    await snapshots.describe(call, load)


@handles("POST", f"{SNAPSHOT}/rollback")
async def roll_back(call: Call) -> str:
    """Go back to a snapshot; one with memory, or `start`, has the guest run afterwards."""
    if call.params.get("start"):
        require(call, int(call.params["vmid"]), None, "VM.PowerMgmt")
    return await snapshots.roll_back_in_task(call, "qmrollback", _OfGuest, start_task)


@handles("DELETE", SNAPSHOT)
async def delete_snapshot(call: Call) -> str:
    """Remove a snapshot."""
    return await snapshots.delete_in_task(call, "qmdelsnapshot", _OfGuest)


@handles("GET", f"{QEMU}/feature")
async def read_feature(call: Call) -> dict[str, Any]:
    """Whether all disks of a guest can do something, and on which hosts they are."""
    lab, params = call.lab, call.params
    if find_row(lab, params["vmid"], params["node"]) is None:
        raise missing_file(params["vmid"], params["node"])
    guest, name = load(lab, params["vmid"], params["node"]), params.get("snapname")
    config = guest.snapshot(name) if name else guest.config
    can = all(
        has_feature(lab, volid, params["feature"], snapshot=name)
        for _, volid in guest.disks(config)
    )
    return {"hasFeature": int(can), "nodes": _hosts(guest, config)}


def _hosts(guest: Guest, config: dict[str, Any]) -> list[str]:
    """The hosts that have all storages of a configuration."""
    hosts = [node["name"] for node in guest.lab.nodes()]
    for _, drive in guest.drives(config):
        name = names.split_volume_id(drive["file"])
        if name is None:
            continue
        storage = storage_config(guest.lab, name[0])
        if storage.get("disable"):
            return []
        if storage.get("nodes"):
            hosts = [host for host in hosts if definitions.on_node(storage, host)]
        elif not definitions.is_shared(storage):
            hosts = [host for host in hosts if host == guest.node]
    return hosts
