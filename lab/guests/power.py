"""Power of a guest: start, stop, shutdown, reboot, reset, suspend, resume."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lab.call import Call
from lab.engines import engine_of
from lab.errors import TaskError, bad_parameter, failure
from lab.guests import pending
from lab.guests.hibernate import check_hibernation, hibernate, wake
from lab.guests.nets import is_net, parse_net
from lab.guests.options import refuse
from lab.guests.record import Guest, find_row, load, missing_file
from lab.guests.rights import check_root_only
from lab.ha.requests import divert
from lab.machine import startup
from lab.routes import handles
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

STATUS = "/nodes/{node}/qemu/{vmid}/status"
SHUTDOWN_TIMEOUT_S = 60
_MTU = 1500
# Parameters of a start that only root may use, in the order in which they are looked at.
_START_ROOT_ONLY = ("stateuri", "skiplock", "migratedfrom", "migration_type", "migration_network",
                    "targetstorage", "force-cpu", "with-conntrack-state",
                    "nets-host-mtu")  # fmt: skip


async def _in_task(call: Call, kind: str, act: Callable[[Guest, TaskLog], Awaitable[None]]) -> str:
    """Run `act` on the guest, its lock held, as a task."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            await act(load(lab, vmid, node), log)

    return await lab.tasks.start(call, node, kind, str(vmid), work)


@handles("POST", f"{STATUS}/start")
async def start(call: Call) -> str:
    """Boot the guest; resuming a state that another host sends is not there."""
    check_root_only(call, *_START_ROOT_ONLY)
    if call.params.get("targetstorage") and not call.params.get("migratedfrom"):
        text = "targetstorage can only by used with migratedfrom."
        raise bad_parameter("targetstorage", text)
    refuse(call, "stateuri", "migratedfrom")
    if upid := await divert(call, "start"):
        return upid
    return await start_task(call, call.params["node"], int(call.params["vmid"]))


async def start_task(call: Call, node: str, vmid: int) -> str:
    """The task that boots a guest, which need not exist before it runs."""
    lab, skip_lock = call.lab, bool(call.params.get("skiplock"))

    async def work(log: TaskLog) -> None:
        async with lab.locks.guest(vmid):
            await start_guest(load(lab, vmid, node), log, skip_lock=skip_lock)

    return await lab.tasks.start(call, node, "qmstart", str(vmid), work)


async def start_guest(guest: Guest, log: TaskLog, *, skip_lock: bool = False) -> None:
    """Boot a guest whose lock is held; what was pending takes effect."""
    if guest.template:
        raise TaskError("you can't start a vm if it's a template")
    suspended = guest.config.get("lock") == "suspended"
    if not skip_lock and not suspended:
        guest.check_lock()
    if guest.running:
        raise TaskError(f"VM {guest.vmid} already running")
    pending.apply(guest)
    guest.save()
    if suspended:
        wake(guest, log)
    _check_devices(guest, log)
    # The cloud-init drive is written anew at each start.
    guest.unsynced.clear()
    await engine_of(guest.lab).start(guest, log)
    _mark_running(guest)


def _mark_running(guest: Guest) -> None:
    guest.status = guest.qmp = "running"
    guest.since = time.time()
    guest.pid = _next_pid(guest.lab)
    guest.save()


def _next_pid(lab: Lab) -> int:
    number: int = lab.cache.get("guest pid", (20_000, None))[0] + 1
    lab.cache["guest pid"] = (number, None)
    return number


def _check_devices(guest: Guest, log: TaskLog) -> None:
    """What QEMU and the host's network would refuse."""
    rows = volumes(guest.lab)
    for _, drive in guest.drives():
        file = drive["file"]
        if file == "cdrom":
            # The lab's hosts have no CD drive, as most servers.
            log("kvm: The 'host_cdrom' block driver requires a file name")
            raise TaskError("start failed: QEMU exited with code 1")
        if ":" in file and not file.startswith("/"):
            rows.require(file, guest.node)
    for key in sorted(filter(is_net, guest.config)):
        bridge = parse_net(guest.config[key]).get("bridge")
        if bridge and not bridge_exists(guest.lab, guest.node, bridge):
            raise TaskError(f"bridge '{bridge}' does not exist")


def bridge_exists(lab: Lab, node: str, name: str) -> bool:
    """Whether a host has a bridge or virtual network: one that was applied, not just written."""
    row = lab.store.get("iface", f"{node}/{name}")
    if row is not None:
        return row["applied"] is not None
    return lab.store.get("vnet", name) is not None


def bridge_mtu(lab: Lab, node: str, name: str) -> int:
    """The largest packet of a bridge or virtual network."""
    row = lab.store.get("iface", f"{node}/{name}")
    return int((row["applied"] or {}).get("mtu") or _MTU) if row else _MTU


@handles("POST", f"{STATUS}/stop")
async def stop(call: Call) -> str:
    """Cut the power; nothing to do for a guest that is off."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    check_root_only(call, "skiplock", "keepActive", "migratedfrom")
    if upid := await divert(call, "stop"):
        return upid

    async def work(log: TaskLog) -> None:
        if find_row(lab, vmid, node) is None:
            raise missing_file(vmid, node)
        if call.params.get("overrule-shutdown"):
            _end_shutdowns(lab, vmid, log)
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            if guest.running:
                _check_lock(guest, call)
                await stop_guest(guest, log)

    return await lab.tasks.start(call, node, "qmstop", str(vmid), work)


def _end_shutdowns(lab: Lab, vmid: int, log: TaskLog) -> None:
    """End tasks that wait for the guest to power off by itself."""
    for task in lab.tasks.list():
        waits = task["type"] == "qmshutdown" and task["id"] == str(vmid)
        if waits and lab.tasks.running(task["upid"]):
            lab.tasks.interrupt(task["upid"])
            log(f"overruled qmshutdown task: {task['upid']}")


def _check_lock(guest: Guest, call: Call) -> None:
    if not call.params.get("skiplock"):
        guest.check_lock()


async def stop_guest(guest: Guest, log: TaskLog) -> None:
    """Cut the power of a guest whose lock is held; what was pending takes effect."""
    await engine_of(guest.lab).stop(guest, log)
    mark_stopped(guest)


def mark_stopped(guest: Guest) -> None:
    """Note that a guest is off and take over what waited for that."""
    guest.status = guest.qmp = "stopped"
    guest.since = guest.pid = 0
    pending.apply(guest)
    guest.save()


@handles("POST", f"{STATUS}/shutdown")
async def shutdown(call: Call) -> str:
    """Ask the guest to power off, with `forceStop` by cutting the power when it does not."""
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    check_root_only(call, "skiplock", "keepActive")
    force = bool(call.params.get("forceStop"))
    row = find_row(lab, vmid, node)
    paused = row is not None and row["qmp"] == "paused"
    if paused and not force:
        raise failure("VM is paused - cannot shutdown")
    if upid := await divert(call, "shutdown"):
        return upid

    async def work(log: TaskLog) -> None:
        if find_row(lab, vmid, node) is None:
            raise missing_file(vmid, node)
        async with lab.locks.guest(vmid):
            guest = load(lab, vmid, node)
            if not guest.running:
                return
            _check_lock(guest, call)
            if paused:
                log("VM is paused - stop instead of shutdown")
                await stop_guest(guest, log)
            else:
                await shut_down_guest(guest, log, call.params.get("timeout"), force=force)

    return await lab.tasks.start(call, node, "qmshutdown", str(vmid), work)


async def shut_down_guest(
    guest: Guest, log: TaskLog, timeout_s: int | None, *, force: bool
) -> None:
    """Power a guest off from within, or by force when that is allowed and it takes too long."""
    limit = _patience_s(guest) if timeout_s is None else timeout_s
    if await engine_of(guest.lab).shutdown(guest, limit, log):
        mark_stopped(guest)
        return
    if not force:
        raise TaskError("VM quit/powerdown failed - got timeout")
    log("VM quit/powerdown failed - terminating now with SIGTERM")
    await stop_guest(guest, log)


def _patience_s(guest: Guest) -> int:
    """How long a guest is waited for when the caller does not say: what its start order says."""
    return startup(guest.config).get("down") or SHUTDOWN_TIMEOUT_S


def _running(call: Call) -> Guest:
    """The guest of a call that needs power; 500 when it is off or not there."""
    vmid, node = int(call.params["vmid"]), call.params["node"]
    check_root_only(call, "skiplock")
    if find_row(call.lab, vmid, node) is None:
        raise missing_file(vmid, node)
    guest = load(call.lab, vmid, node)
    if not guest.running:
        raise failure(f"VM {vmid} not running")
    return guest


@handles("POST", f"{STATUS}/reboot")
async def reboot(call: Call) -> str:
    """Shut down and start again, which takes over what is pending."""
    if _running(call).qmp == "paused":
        raise failure("VM is paused - cannot shutdown")

    async def act(guest: Guest, log: TaskLog) -> None:
        guest.check_lock()
        await shut_down_guest(guest, log, call.params.get("timeout"), force=False)
        await start_guest(guest, log)

    return await _in_task(call, "qmreboot", act)


@handles("POST", f"{STATUS}/reset")
async def reset(call: Call) -> str:
    """Press the reset button: the machine goes on, its operating system starts anew."""
    _running(call)

    async def act(guest: Guest, _log: TaskLog) -> None:
        _check_lock(guest, call)
        await engine_of(guest.lab).reset(guest)

    return await _in_task(call, "qmreset", act)


@handles("POST", f"{STATUS}/suspend")
async def suspend(call: Call) -> str:
    """Freeze the guest in memory, or with `todisk` save its memory and switch it off."""
    guest = _running(call)
    if call.params.get("todisk"):
        storage = check_hibernation(call, guest)

        async def save(guest: Guest, log: TaskLog) -> None:
            await hibernate(guest, storage, log, skip_lock=bool(call.params.get("skiplock")))
            mark_stopped(guest)

        return await _in_task(call, "qmsuspend", save)

    async def act(guest: Guest, _log: TaskLog) -> None:
        _check_lock(guest, call)
        await engine_of(guest.lab).pause(guest)
        guest.qmp = "paused"
        guest.save()

    return await _in_task(call, "qmpause", act)


@handles("POST", f"{STATUS}/resume")
async def resume(call: Call) -> str:
    """Let a frozen guest go on, or start one whose memory is on a disk."""
    check_root_only(call, "skiplock", "nocheck")
    row = find_row(call.lab, call.params["vmid"], call.params["node"])
    asleep = row is not None and row["config"].get("lock") == "suspended"
    if row is None and call.params.get("nocheck"):
        raise failure(f"VM {call.params['vmid']} not running")
    if not asleep:
        _running(call)

    async def act(guest: Guest, log: TaskLog) -> None:
        if asleep:
            await start_guest(guest, log)
            return
        _check_lock(guest, call)
        await engine_of(guest.lab).resume(guest)
        guest.qmp = "running"
        guest.save()

    return await _in_task(call, "qmresume", act)
