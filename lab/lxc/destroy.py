"""Destroy a container with its volumes, and what else in the cluster was about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import failure
from lab.ha.config import check_removable
from lab.lxc import mounts
from lab.lxc.power import stop_container
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.routes import handles
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog


@handles("DELETE", LXC)
async def destroy_container(call: Call) -> str:
    """Destroy a container, with `force` also one that runs."""
    lab, params = call.lab, call.params
    node, vmid = params["node"], int(params["vmid"])
    _check(call, load(lab, vmid, node))

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            container = load(lab, vmid, node)
            _check(call, container)
            if container.running:
                log(f"forced to stop CT {vmid} before destroying!")
                stop_container(container)
            free_volumes(container, unreferenced=bool(params.get("destroy-unreferenced-disks")))
            if params.get("purge"):
                log(f"purging CT {vmid} from related configurations..")
            lab.on_guest_gone(vmid, bool(params.get("purge")))
            container.remove()

    return await lab.tasks.start(call, node, "vzdestroy", str(vmid), work)


def _check(call: Call, container: Container) -> None:
    container.check_protection(f"can't remove CT {container.vmid}")
    container.check_lock()
    if not call.params.get("purge"):
        check_removable(container.lab.store, container.vmid, "CT")
    if container.running and not call.params.get("force"):
        raise failure(f"unable to destroy CT {container.vmid} - container is running")


def free_volumes(container: Container, *, unreferenced: bool = False) -> None:
    """Destroy the volumes that the configuration names, and with `unreferenced` all others with
    the container's number."""
    for config in (container.config, container.pending):
        unused = [(key, value) for key, value in config.items() if mounts.is_unused(key)]
        for _, volid in [*container.disks(config), *unused]:
            if not mounts.NEW_VOLUME.fullmatch(volid):
                mounts.free(container, volid)
    if unreferenced:
        rows = volumes(container.lab)
        for row in rows.of_guest(container.vmid, container.node):
            rows.free(row["volid"], container.node)
