"""Snapshots of containers: list, take, read, describe, roll back, remove; features."""

from __future__ import annotations

from typing import Any

from lab import snapshots
from lab.call import Call
from lab.errors import failure
from lab.lxc.power import start_task, stop_container
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.machine import Machine
from lab.routes import handles
from lab.storage.features import has_feature

SNAPSHOTS = f"{LXC}/snapshot"
SNAPSHOT = f"{SNAPSHOTS}/{{snapname}}"
_RESERVED = ("current", "vzdump")


class _OfContainer(snapshots.Snapshots):
    """Snapshots of a container, which never hold memory."""

    def load(self) -> Container:
        return load(self._lab, self._vmid, self._node)

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
    if (name := call.params["snapname"]) in _RESERVED:
        raise failure(f"unable to use snapshot name '{name}' (reserved name)")
    return await snapshots.create_in_task(call, "vzsnapshot", _OfContainer)


@handles("GET", f"{SNAPSHOT}/config")
async def read_snapshot(call: Call) -> dict[str, Any]:
    """The configuration that a snapshot holds."""
    container = load(call.lab, call.params["vmid"], call.params["node"])
    return dict(container.snapshot(call.params["snapname"]))


@handles("PUT", f"{SNAPSHOT}/config")
async def change_snapshot(call: Call) -> None:
    """Change the description of a snapshot."""
    await snapshots.describe(call, load)


@handles("POST", f"{SNAPSHOT}/rollback")
async def roll_back(call: Call) -> str:
    """Go back to a snapshot; with `start` the container runs afterwards."""
    return await snapshots.roll_back_in_task(call, "vzrollback", _OfContainer, start_task)


@handles("DELETE", SNAPSHOT)
async def delete_snapshot(call: Call) -> str:
    """Remove a snapshot."""
    return await snapshots.delete_in_task(call, "vzdelsnapshot", _OfContainer)


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
