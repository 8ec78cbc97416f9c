"""Snapshots of containers: list, take, read, describe, roll back, remove; features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import snapshots
from lab.call import Call
from lab.errors import failure
from lab.lxc.power import start_task, stop_container
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.machine import Machine
from lab.routes import handles
from lab.storage.features import has_feature

if TYPE_CHECKING:
    from lab.tasks import TaskLog

SNAPSHOTS = f"{LXC}/snapshot"
SNAPSHOT = f"{SNAPSHOTS}/{{snapname}}"
_RESERVED = ("current", "vzdump")


class _OfContainer(snapshots.Snapshots):
    """Snapshots of a container, which never hold memory."""

    def __init__(self, call: Call, log: TaskLog) -> None:
        lab, vmid, node = call.lab, int(call.params["vmid"]), call.params["node"]
        super().__init__(lambda: load(lab, vmid, node), log)

    async def stop(self, machine: Machine) -> None:
        if isinstance(machine, Container):
            stop_container(machine)


@handles("GET", SNAPSHOTS)
async def list_snapshots(call: Call) -> list[dict[str, Any]]:
    """All snapshots and the present."""
    return snapshots.listed(load(call.lab, call.params["vmid"], call.params["node"]))


@handles("POST", SNAPSHOTS)
async def create_snapshot(call: Call) -> str:
    """Take a snapshot; a container that does not exist fails the task."""
    params, name = call.params, call.params["snapname"]
    if name in _RESERVED:
        raise failure(f"unable to use snapshot name '{name}' (reserved name)")

    async def work(log: TaskLog) -> None:
        made = _OfContainer(call, log)
        await made.create(name, params.get("description"), with_memory=False)

    return await call.lab.tasks.start(call, params["node"], "vzsnapshot", str(params["vmid"]), work)


@handles("GET", f"{SNAPSHOT}/config")
async def read_snapshot(call: Call) -> dict[str, Any]:
    """The configuration that a snapshot holds."""
    container = load(call.lab, call.params["vmid"], call.params["node"])
    return dict(container.snapshot(call.params["snapname"]))


@handles("PUT", f"{SNAPSHOT}/config")
async def change_snapshot(call: Call) -> None:
    """Change the description of a snapshot."""
    params = call.params
    if "description" not in params:
        return
    async with call.lab.locks.guest(params["vmid"]):
        container = load(call.lab, params["vmid"], params["node"])
        snapshots.describe(container, params["snapname"], params["description"])


@handles("POST", f"{SNAPSHOT}/rollback")
async def roll_back(call: Call) -> str:
    """Go back to a snapshot; with `start` the container runs afterwards."""
    params = call.params
    lab, node, vmid = call.lab, params["node"], int(params["vmid"])

    async def work(log: TaskLog) -> None:
        await _OfContainer(call, log).roll_back(params["snapname"])
        if params.get("start"):
            await start_task(call, node, vmid)

    return await lab.tasks.start(call, node, "vzrollback", str(vmid), work)


@handles("DELETE", SNAPSHOT)
async def delete_snapshot(call: Call) -> str:
    """Remove a snapshot."""
    params = call.params

    async def work(log: TaskLog) -> None:
        await _OfContainer(call, log).delete(params["snapname"], force=bool(params.get("force")))

    return await call.lab.tasks.start(
        call, params["node"], "vzdelsnapshot", str(params["vmid"]), work
    )


@handles("GET", f"{LXC}/feature")
async def read_feature(call: Call) -> dict[str, Any]:
    """Whether all volumes of a container can do something."""
    lab, params = call.lab, call.params
    container, name = load(lab, params["vmid"], params["node"]), params.get("snapname")
    config = container.snapshot(name) if name else container.config
    can = all(
        has_feature(lab, volid, params["feature"], snapshot=name, for_container=True)
        for _, volid in container.disks(config)
    )
    return {"hasFeature": int(can)}
