"""Bring a container to another host: off, or with a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import ApiError, TaskError, bad_parameter, failure
from lab.guests import replicated
from lab.guests.clone import check_target
from lab.guests.migrate import read_storage_map, target_of
from lab.guests.rights import require
from lab.ha.affinity import obstacles
from lab.ha.config import is_managed, sid_of
from lab.ha.requests import divert
from lab.lxc import mounts
from lab.lxc.power import start_container, stop_container
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.routes import handles
from lab.storage import definitions, names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

_MOVABLE = frozenset({"dir", "zfspool", "lvmthin", "lvm", "btrfs"})
_WITH_SNAPSHOTS = frozenset({"zfspool", "btrfs"})
StorageMap = dict[str, str]


@handles("GET", f"{LXC}/migrate")
async def migration_conditions(call: Call) -> dict[str, Any]:
    """Where the container could go."""
    container = load(call.lab, call.params["vmid"], call.params["node"])
    container.check_lock()
    store, sid = call.lab.store, sid_of(call.lab.store, container.vmid)
    watched = sid if is_managed(store, sid) else None
    hosts = [n["name"] for n in call.lab.nodes() if n["name"] != container.node]
    along, blocking = obstacles(store, watched, hosts)
    shown: dict[str, Any] = {
        "running": int(container.running),
        "allowed-nodes": [host for host in hosts if host not in blocking],
        "not-allowed-nodes": {
            host: {"blocking-ha-resources": there} for host, there in blocking.items()
        },
    }
    return shown | ({"dependent-ha-resources": along} if watched else {})


@handles("POST", f"{LXC}/migrate")
async def migrate_container(call: Call) -> str:
    """Migrate; volumes on storages that are not shared are copied."""
    lab, params = call.lab, call.params
    node, vmid, target = params["node"], int(params["vmid"]), params["target"]
    if target == node:
        raise bad_parameter("target", "target is local node.")
    check_target(lab, target)
    container = load(lab, vmid, node)
    if container.running and not params.get("online") and not params.get("restart"):
        raise failure("can't migrate running container without --online or --restart")
    storages = _storages(call)
    if upid := await divert(call, "migrate"):
        return upid

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            try:
                _migrate(call, load(lab, vmid, node), storages, log)
            except ApiError as error:
                log(f"ERROR: migration aborted: {error.message}")
                raise TaskError("migration aborted") from error

    return await lab.tasks.start(call, node, "vzmigrate", str(vmid), work)


def _storages(call: Call) -> StorageMap:
    params = call.params
    storages = read_storage_map(params.get("target-storage", ""), "target-storage")
    if storages:
        require(call, int(params["vmid"]), None, "VM.Config.Disk")
    for storage in storages.values():
        config = storage_config(call.lab, storage, params["target"])
        require_space(call, storage)
        if "rootdir" not in definitions.contents(config):
            raise failure(f"storage '{storage}' does not support CT rootdirs")
    return storages


def _migrate(call: Call, container: Container, storages: StorageMap, log: TaskLog) -> None:
    target, running = call.params["target"], container.running
    container.check_lock()
    if running and not call.params.get("restart"):
        raise failure("lxc live migration is currently not implemented")
    _check_mounts(container, target, storages)
    if running:
        log(f"shutdown CT {container.vmid}")
        stop_container(container)
    log(f"starting migration of CT {container.vmid} to node '{target}'")
    moved = _move_volumes(container, target, storages, log)
    container.config |= moved
    if target in replicated.targets(container.lab, container.vmid):
        replicated.follow(container.lab, container.vmid, container.node, target)
    container.node = target
    container.save()
    if running:
        log("start container on target node")
        start_container(container)
    log("migration finished successfully")


def _check_mounts(container: Container, target: str, storages: StorageMap) -> None:
    for key, mount in container.mounts():
        volid = mount["volume"]
        if not mounts.is_volume(mount):
            if not mount.get("shared"):
                kind = "device" if volid.startswith("/dev/") else "bind"
                raise failure(f"cannot migrate local {kind} mount point '{key}'")
            continue
        storage = names.parse_volume_id(volid)[0]
        config = storage_config(container.lab, storage, container.node)
        wanted = storage if definitions.is_shared(config) else target_of(storages, storage)
        there = storage_config(container.lab, wanted, target)
        if "rootdir" not in definitions.contents(there):
            text = f"content type 'rootdir' is not available on storage '{wanted}'"
            raise failure(f"{volid}: {text}")


def _volumes(container: Container) -> list[tuple[str, str, bool]]:
    """Key, volume and whether it is in a snapshot, of all that has to move."""
    unused = [(k, v) for k, v in container.config.items() if mounts.is_unused(k)]
    return [
        (key, volid, container.in_snapshot(volid))
        for key, volid in [*container.disks(container.config), *unused]
    ]


def _move_volumes(
    container: Container, target: str, storages: StorageMap, log: TaskLog
) -> dict[str, str]:
    """Bring local volumes to the target; the mounts whose storage changed."""
    lab, rows, changed, failed = container.lab, volumes(container.lab), dict[str, str](), False
    local = [
        (key, row, in_snapshot)
        for key, volid, in_snapshot in _volumes(container)
        if (row := rows.require(volid, container.node))["node"] is not None
    ]
    for _, row, in_snapshot in local:
        kind = storage_config(lab, row["storage"])["type"]
        reason = None
        if in_snapshot and kind not in _WITH_SNAPSHOTS:
            reason = "non-migratable snapshot exists"
        elif kind not in _MOVABLE:
            reason = f"storage type '{kind}' not supported"
        elif base := names.parse_name(kind, row["volid"].partition(":")[2]).base:
            reason = f"clone of '{base}'"
        if reason:
            log(f"ERROR: can't migrate local volume '{row['volid']}': {reason}")
            failed = True
    if failed:
        raise failure("can't migrate CT - check log")
    there = Container(lab=lab, vmid=container.vmid, node=target)
    for key, row, _ in local:
        wanted = target_of(storages, row["storage"])
        log(f"found local volume '{row['volid']}' (in current VM config)")
        if wanted == row["storage"]:
            rows.carry(row, target)
            continue
        mount = {} if mounts.is_unused(key) else mounts.parse_mount(key, container.config[key])
        new = mounts.copy(there, mount, row, wanted)
        rows.free(row["volid"], container.node)
        text = mounts.print_mount(key, mount | {"volume": new["volid"]}) if len(mount) > 1 else ""
        changed[key] = text or new["volid"]
    return changed
