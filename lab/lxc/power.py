"""Power of a container: start, stop, shutdown, reboot, suspend, resume."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lab.call import Call
from lab.errors import TaskError, failure
from lab.guests.rights import check_root_only
from lab.ha.requests import divert
from lab.lxc.options import check_cards
from lab.lxc.record import Container, is_running, load
from lab.lxc.update import LXC, apply
from lab.routes import handles
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

STATUS = f"{LXC}/status"
FIRST_PID = 60_000
_STATE = "/var/lib/vz/dump"


def _require_running(call: Call, word: str = "CT") -> None:
    vmid = call.params["vmid"]
    if not is_running(call.lab, vmid, call.params["node"]):
        raise failure(f"{word} {vmid} not running")


async def _in_task(
    call: Call, kind: str, act: Callable[[Container, TaskLog], Awaitable[None]]
) -> str:
    """Run `act` on the container, its lock held, as a task."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            await act(load(lab, vmid, node), log)

    return await lab.tasks.start(call, node, kind, str(vmid), work)


def _check_lock(container: Container, *, skip: bool) -> None:
    """A container whose file systems are mounted on the host may start and stop."""
    if not skip and container.config.get("lock") != "mounted":
        container.check_lock()


@handles("POST", f"{STATUS}/start")
async def start(call: Call) -> str:
    """Start the container."""
    check_root_only(call, "skiplock")
    _refuse_running(call.lab, call.params["vmid"], call.params["node"])
    if upid := await divert(call, "start"):
        return upid
    return await start_task(call, call.params["node"], int(call.params["vmid"]))


def _refuse_running(lab: Lab, vmid: int, node: str) -> None:
    if is_running(lab, vmid, node):
        raise failure(f"CT {vmid} already running")


async def start_task(call: Call, node: str, vmid: int) -> str:
    """The task that starts a container, which need not exist before it runs."""
    lab = call.lab
    _refuse_running(lab, vmid, node)

    async def work(_log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            container = load(lab, vmid, node)
            if container.template:
                raise TaskError("you can't start a CT if it's a template")
            _check_lock(container, skip=bool(call.params.get("skiplock")))
            start_container(container)

    return await lab.tasks.start(call, node, "vzstart", str(vmid), work)


def start_container(container: Container) -> None:
    """Start a container whose lock is held; what was pending takes effect."""
    if container.config.get("unprivileged"):
        for _, mount in container.mounts():
            if mount.get("quota"):
                raise TaskError("Quotas are not supported by unprivileged containers.")
    apply(container)
    container.save()
    for _, volid in container.disks(container.config):
        volumes(container.lab).require(volid, container.node)
    check_cards(container)
    container.status, container.since = "running", time.time()
    container.pid = _next_pid(container.lab)
    container.save()


def _next_pid(lab: Lab) -> int:
    number: int = lab.cache.get("container pid", (FIRST_PID, None))[0] + 1
    lab.cache["container pid"] = (number, None)
    return number


def stop_container(container: Container) -> None:
    """Note that a container is off."""
    container.status, container.since, container.pid = "stopped", 0, 0
    container.save()


@handles("POST", f"{STATUS}/stop")
async def stop(call: Call) -> str:
    """Kill what runs in the container."""
    check_root_only(call, "skiplock")
    _require_running(call)
    if upid := await divert(call, "stop"):
        return upid

    async def act(container: Container, _log: TaskLog) -> None:
        _check_lock(container, skip=bool(call.params.get("skiplock")))
        stop_container(container)

    return await _in_task(call, "vzstop", act)


@handles("POST", f"{STATUS}/shutdown")
async def shutdown(call: Call) -> str:
    """Ask the container to end; nothing runs in it, so it does at once."""
    _require_running(call)
    if upid := await divert(call, "shutdown"):
        return upid

    async def act(container: Container, _log: TaskLog) -> None:
        container.check_lock()
        stop_container(container)

    return await _in_task(call, "vzshutdown", act)


@handles("POST", f"{STATUS}/reboot")
async def reboot(call: Call) -> str:
    """Shut down and start again, which takes over what is pending."""
    _require_running(call, "VM")

    async def act(container: Container, _log: TaskLog) -> None:
        if container.running:
            stop_container(container)
            start_container(container)

    return await _in_task(call, "vzreboot", act)


@handles("POST", f"{STATUS}/suspend")
async def suspend(call: Call) -> str:
    """Freeze the container to disk: no host has the tool that would, so the task fails."""
    _require_running(call)

    async def act(container: Container, _log: TaskLog) -> None:
        container.check_lock()
        command = f"lxc-checkpoint -n {container.vmid} -s -D {_STATE}"
        raise TaskError(f"command '{command}' failed: exit code 1")

    return await _in_task(call, "vzsuspend", act)


@handles("POST", f"{STATUS}/resume")
async def resume(call: Call) -> str:
    """Bring a frozen container back: there are none, so the task fails."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    _refuse_running(lab, vmid, node)

    async def work(_log: TaskLog) -> None:
        command = f"lxc-checkpoint -n {vmid} -r --foreground -D {_STATE}"
        raise TaskError(f"command '{command}' failed: exit code 1")

    return await lab.tasks.start(call, node, "vzresume", str(vmid), work)
