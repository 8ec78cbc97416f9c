"""Grow the volume of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import ApiError, failure
from lab.lxc import mounts
from lab.lxc.options import Permissions
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.routes import handles
from lab.storage import names
from lab.storage.definitions import storage_config
from lab.storage.rights import require_space
from lab.storage.sizes import parse_size
from lab.storage.volumes import Row, volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog

_MISSING = "property is missing and it is not optional"


@handles("PUT", f"{LXC}/resize")
async def resize_volume(call: Call) -> str:
    """Grow a volume, to a size or by one (`+1G`)."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    _check(call, load(lab, vmid, node))

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            container = load(lab, vmid, node)
            row, size = _check(call, container)
            key = call.params["disk"]
            volumes(lab).update(row, size=size)
            mount = mounts.parse_mount(key, container.config[key])
            container.config[key] = mounts.print_mount(key, mount | {"size": size})
            container.save()

    return await lab.tasks.start(call, node, "resize", str(vmid), work)


def volume_of(container: Container, key: str) -> str:
    """The volume of a mount; 500 with Proxmox VE's words when there is no such mount."""
    if key not in container.config:
        missing = ("volume",) if key == "rootfs" else ("mp", "volume")
        raise ApiError(500, "format error", dict.fromkeys(missing, _MISSING))
    volid: str = mounts.parse_mount(key, container.config[key])["volume"]
    return volid


def _check(call: Call, container: Container) -> tuple[Row, int]:
    """The volume and its size to be."""
    container.check_lock()
    key, wanted = call.params["disk"], call.params["size"]
    Permissions(call, container).check({}, [key])
    container.check_digest(call.params.get("digest"))
    volid = volume_of(container, key)
    storage, name = names.parse_volume_id(volid)
    owner = names.parse_name(storage_config(container.lab, storage)["type"], name).vmid
    if owner != container.vmid:
        place = "/usr/share/perl5/PVE/API2/LXC.pm line 1"
        raise failure(f"can't resize mount point owned by another container ({owner}) at {place}.")
    require_space(call, storage)
    row = volumes(container.lab).require(volid, container.node)
    size = (parse_size(wanted.lstrip("+")) or 0) + (row["size"] if wanted[0] == "+" else 0)
    if size < row["size"]:
        raise failure("unable to shrink disk size")
    if size == row["size"]:
        raise failure("disk is already at specified size")
    return row, size
