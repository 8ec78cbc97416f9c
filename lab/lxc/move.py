"""Move a volume of a container to another storage, or to another container."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import bad_parameters, failure
from lab.guests import drives, replicated
from lab.guests.rights import require
from lab.lxc import mounts
from lab.lxc.record import Container, load
from lab.lxc.resize import volume_of
from lab.lxc.update import LXC, change
from lab.machine import check_neighbours, check_unchanged
from lab.routes import handles
from lab.storage import names
from lab.storage.features import has_feature
from lab.storage.rights import require_space
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

_MOVE_OR_GIVE = "both 'storage' and 'target-vmid' missing, either needs to be set"


@handles("POST", f"{LXC}/move_volume")
async def move_volume(call: Call) -> str:
    """Copy to a storage, or rename for another container."""
    storage, target = call.params.get("storage"), call.params.get("target-vmid")
    if storage and target:
        raise failure("either set storage or target-vmid, but not both")
    if target:
        return await _give(call, int(target))
    if storage:
        return await _move(call, storage)
    raise bad_parameters({"storage": _MOVE_OR_GIVE, "target-vmid": _MOVE_OR_GIVE})


async def _move(call: Call, storage: str) -> str:
    lab, params = call.lab, call.params
    node, vmid, key = params["node"], int(params["vmid"]), params["volume"]
    require_space(call, storage)
    async with lab.locks.guest(vmid):
        container = load(lab, vmid, node)
        _check_move(call, container)
        container.config["lock"] = "disk"
        container.save()

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            container, rows = load(lab, vmid, node), volumes(lab)
            container.config.pop("lock", None)
            container.save()
            mount = mounts.parse_mount(key, container.config[key])
            old = rows.require(mount["volume"], node)
            new = mounts.copy(container, mount, old, storage)
            if container.template:
                new = rows.make_base(new)
            container.config[key] = mounts.print_mount(key, mount | {"volume": new["volid"]})
            if params.get("delete"):
                rows.free(old["volid"], node)
            else:
                drives.add_unused(container.config, old["volid"])
            container.save()

    return await lab.tasks.start(call, node, "move_volume", str(vmid), work)


def _check_move(call: Call, container: Container) -> None:
    key = call.params["volume"]
    container.check_lock()
    if container.running:
        raise failure("cannot move volumes of a running container")
    if mounts.is_unused(key):
        text = f"cannot move volume '{key}', only configured volumes can be moved to"
        raise failure(f"{text} another storage")
    volid = volume_of(container, key)
    if call.params.get("delete") and container.in_snapshot(volid):
        raise failure("you can't move a volume with snapshots and delete the source")
    container.check_digest(call.params.get("digest"))


async def _give(call: Call, target: int) -> str:
    lab, params = call.lab, call.params
    node, vmid, key = params["node"], int(params["vmid"]), params["volume"]
    slot = params.get("target-volume", key)
    require(call, target, None, "VM.Config.Disk")
    giver, _ = _check_give(call, (vmid, key), (target, slot))
    require_space(call, names.parse_volume_id(_volume(giver, key))[0])

    async def work(log: TaskLog) -> None:
        async with AsyncExitStack() as held:
            for each in sorted({vmid, target}):
                await held.enter_async_context(lab.locks.guest(each))
            giver, taker = _check_give(call, (vmid, key), (target, slot))
            log(f"moving volume '{key}' from container '{vmid}' to '{target}'")
            log(f"removing volume '{key}' from container '{vmid}' config")
            _hand_over(giver, key, taker, slot)
            log(f"target container '{target}' updated with '{slot}'")

    about = f"{vmid}-{key}>{target}-{slot}"
    return await lab.tasks.start(call, node, "move_volume", about, work)


def _check_give(
    call: Call, source: tuple[int, str], target: tuple[int, str]
) -> tuple[Container, Container]:
    (vmid, key), (other, slot) = source, target
    if "rootfs" in (key, slot):
        raise failure("Cannot move to/from 'rootfs'")
    if mounts.is_unused(key) and not mounts.is_unused(slot):
        raise failure("Moving an unused volume to a used one is not possible")
    giver, taker = _both(call.lab, call.params["node"], vmid, other)
    if giver.template or taker.template:
        raise failure("Can't move volumes from or to template CT")
    check_unchanged(giver, call.params.get("digest"), f"Container {vmid}: ")
    check_unchanged(taker, call.params.get("target-digest"), f"Container {other}: ")
    if key not in giver.config:
        raise failure(f"volume '{key}' for container '{vmid}' does not exist")
    if slot in taker.config:
        text = f"Target volume key '{slot}' is already in use for container '{other}'"
        raise failure(text)
    _check_given(giver, key)
    storage = names.parse_volume_id(_volume(giver, key))[0]
    if replicated.targets(call.lab, other) and not replicated.can_send(call.lab, storage):
        text = f"Cannot move volume on storage '{storage}' to a replicated container"
        raise failure(f"{text} - missing replication support")
    return giver, taker


def _both(lab: Lab, node: str, vmid: int, other: int) -> tuple[Container, Container]:
    """The container that gives and the one that takes, on one host and not locked."""
    check_neighbours(lab, ("CT", vmid), ("CT", other), "containers")
    found = {}
    for each in (vmid, other):
        found[each] = load(lab, each, node)
        found[each].check_lock()
    return found[vmid], found[other]  # the same one where it only gets another key


def _volume(container: Container, key: str) -> str:
    value: str = container.config[key]
    return value if mounts.is_unused(key) else volume_of(container, key)


def _check_given(giver: Container, key: str) -> None:
    volid = _volume(giver, key)
    if giver.in_snapshot(volid):
        raise failure("Cannot move volume used by a snapshot to another container")
    if volid.startswith("/"):
        raise failure("Storage does not support moving of this disk to another container")
    if not has_feature(giver.lab, volid, "rename"):
        raise failure("Storage does not support moving of this disk to another container")
    if giver.running and not mounts.is_unused(key):
        text = "Cannot move in-use volume while the source CT is running"
        raise failure(f"{text} - detach or shutdown first")


def _hand_over(giver: Container, key: str, taker: Container, slot: str) -> None:
    rows, value = volumes(giver.lab), giver.config.pop(key)
    old = value if mounts.is_unused(key) else mounts.parse_mount(key, value)["volume"]
    row = rows.hand_over(rows.require(old, giver.node), giver.node, taker.vmid)
    giver.save()
    if mounts.is_unused(slot):
        taker.config[slot] = row["volid"]
    else:
        mount = mounts.parse_mount(key, value) | {"volume": row["volid"]}
        change(taker, {slot: mounts.print_mount(slot, mount)}, [], [])
    taker.save()
