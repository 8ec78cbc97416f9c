"""Make a container a template, whose volumes linked clones share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import failure
from lab.lxc import mounts
from lab.lxc.record import Container, load
from lab.lxc.update import LXC
from lab.routes import handles
from lab.storage.features import has_feature
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.tasks import TaskLog


@handles("POST", f"{LXC}/template")
async def make_template(call: Call) -> None:
    """Start the task that makes the template; its id is not told."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    _check(load(lab, vmid, node))

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            container = load(lab, vmid, node)
            _check(container)
            convert(container)

    await lab.tasks.start(call, node, "vztemplate", str(vmid), work)


def _check(container: Container) -> None:
    container.check_lock()
    if container.snapshots:
        raise failure("unable to create template, because CT contains snapshots")
    if container.template:
        raise failure("you can't convert a template to a template")
    if container.running:
        raise failure("you can't convert a CT to template if the CT is running")


def convert(container: Container) -> None:
    """Turn the volumes into base volumes and mark the container."""
    for _, mount in container.mounts():
        if not has_feature(container.lab, mount["volume"], "template"):
            raise failure(f"Template feature is not available for '{mount['volume']}'")
    rows = volumes(container.lab)
    for key, mount in container.mounts():
        row = rows.make_base(rows.require(mount["volume"], container.node))
        container.config[key] = mounts.print_mount(key, mount | {"volume": row["volid"]})
    container.config["template"] = 1
    container.save()
