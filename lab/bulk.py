"""Start, stop, suspend or migrate many guests of a host, in one task that starts one for each."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.errors import ApiError, TaskError, bad_parameter, failure, forbidden
from lab.formats import split_list
from lab.guests import migrate as migrate_vm
from lab.guests import power as power_vm
from lab.guests.clone import check_target
from lab.guests.conditions import migration_conditions
from lab.ha.config import is_managed, sid_of
from lab.lxc import migrate as migrate_ct
from lab.lxc import power as power_ct
from lab.routes import handles

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.call import Call
    from lab.tasks import TaskLog

Row = dict[str, Any]
# Does something to one guest (kind, number, row); the id of the task, or None for nothing to do.
Act = Callable[[str, int, Row], Awaitable[str | None]]

_NODE = "/nodes/{node}"
_WORDS = {"qemu": "VM", "lxc": "CT"}
_LAST = 1 << 62
_STOP_S = 180
_ORDER = re.compile(r"(?:^|,)\s*(?:order=)?(\d+)(?=,|$)")
_DOWN = re.compile(r"(?:^|,)\s*down=(\d+)")


def _require(call: Call, *privileges: str) -> None:
    """403 unless the caller may do so to everything, or to each guest that is named."""
    rights, vms = call.lab.rights, split_list(call.params.get("vms", ""))
    if call.is_root or rights.has(call.user, "/", list(privileges)):
        return
    if not vms:
        raise forbidden(f"/, {' && '.join(privileges)}")
    for vmid in vms:
        rights.require(call.user, f"/vms/{vmid}", [privileges[0]])


def _chosen(call: Call, *, templates: bool = False, watched: bool) -> list[tuple[str, int, Row]]:
    """Kind, number and row of the guests on the host that are meant."""
    lab, node, found = call.lab, call.params["node"], []
    wanted = set(split_list(call.params["vms"])) if "vms" in call.params else None
    for kind in _WORDS:
        for vmid, row in lab.store.items(kind):
            if row["node"] != node or (wanted is not None and vmid not in wanted):
                continue
            if row["config"].get("template") and not templates:
                continue
            if not watched and _is_watched(lab, vmid):
                continue
            found.append((kind, int(vmid), row))
    return sorted(found, key=lambda each: each[1])


def _is_watched(lab: Lab, vmid: str) -> bool:
    return is_managed(lab.store, sid_of(lab.store, vmid))


def _order(row: Row) -> int:
    found = _ORDER.search(str(row["config"].get("startup", "")))
    return int(found[1]) if found else _LAST


def _one(call: Call, vmid: int, **params: Any) -> Call:
    """The call for one of the guests."""
    return replace(call, params={"node": call.params["node"], "vmid": vmid, **params})


async def _each(
    call: Call, guests: list[tuple[str, int, Row]], act: Act, log: TaskLog
) -> list[tuple[str, int, Row]]:
    """Act on guests side by side and wait for all; what fails is told, and who failed."""
    upids, failed = {}, []
    for kind, vmid, row in guests:
        try:
            if upid := await act(kind, vmid, row):
                upids[upid] = (kind, vmid, row)
        except (ApiError, TaskError) as error:
            log(str(error))
            failed.append((kind, vmid, row))
    for upid, guest in upids.items():
        task = await call.lab.tasks.wait(upid)
        if task["status"] != "OK" and not str(task["status"]).startswith("WARNINGS"):
            log(f"{_WORDS[guest[0]]} {guest[1]} failed: {task['status']}")
    return failed


async def _in_order(call: Call, kind: str, guests: list[tuple[str, int, Row]], act: Act,
                    *, backwards: bool) -> str:  # fmt: skip
    """The task that acts on guests of one start order after the other."""

    async def work(log: TaskLog) -> None:
        orders = sorted({_order(row) for _, _, row in guests}, reverse=backwards)
        for order in orders:
            group = [guest for guest in guests if _order(guest[2]) == order]
            await _each(call, group[::-1] if backwards else group, act, log)

    return await call.lab.tasks.start(call, call.params["node"], kind, "", work)


@handles("POST", f"{_NODE}/startall")
async def start_all(call: Call) -> str:
    """Start what starts with the host, and with `force` all others too."""
    _require(call, "VM.PowerMgmt")
    guests = [
        guest
        for guest in _chosen(call, watched="vms" in call.params)
        if guest[2]["config"].get("onboot") or call.params.get("force")
    ]

    async def act(kind: str, vmid: int, row: Row) -> str | None:
        if row["status"] == "running":
            return None
        start = power_vm.start if kind == "qemu" else power_ct.start
        upid: str = await start(_one(call, vmid))
        return upid

    return await _in_order(call, "startall", guests, act, backwards=False)


@handles("POST", f"{_NODE}/stopall")
async def stop_all(call: Call) -> str:
    """Shut down guests, by force when that takes too long."""
    _require(call, "VM.PowerMgmt")

    async def act(kind: str, vmid: int, row: Row) -> str | None:
        if row["status"] != "running":
            return None
        down = _DOWN.search(str(row["config"].get("startup", "")))
        timeout = int(down[1]) if down else call.params.get("timeout", _STOP_S)
        force = call.params.get("force-stop", 1)
        shutdown = power_vm.shutdown if kind == "qemu" else power_ct.shutdown
        upid: str = await shutdown(_one(call, vmid, timeout=timeout, forceStop=force))
        return upid

    guests = _chosen(call, watched="vms" in call.params)
    return await _in_order(call, "stopall", guests, act, backwards=True)


@handles("POST", f"{_NODE}/suspendall")
async def suspend_all(call: Call) -> str:
    """Suspend virtual machines to disk."""
    _require(call, "VM.PowerMgmt", "VM.Config.Disk")

    async def act(kind: str, vmid: int, row: Row) -> str | None:
        if kind != "qemu":
            raise TaskError(f"skipping {vmid}, only VMs can be suspended")
        if row["status"] != "running":
            return None
        upid: str = await power_vm.suspend(_one(call, vmid, todisk=1))
        return upid

    guests = _chosen(call, watched="vms" in call.params)
    return await _in_order(call, "suspendall", guests, act, backwards=True)


@handles("POST", f"{_NODE}/migrateall")
async def migrate_all(call: Call) -> str:
    """Bring guests to another host; those that cannot go stay."""
    lab, params = call.lab, call.params
    _require(call, "VM.Migrate")
    if params["target"] == params["node"]:
        raise bad_parameter("target", "target is local node.")
    check_target(lab, params["target"])
    options = lab.store.get("option", "datacenter") or {}
    if not any((params.get("max-workers"), params.get("maxworkers"), options.get("max_workers"))):
        text = "either 'max-workers' parameter or max_workers in datacenter.cfg must be set!"
        raise failure(text)

    async def act(kind: str, vmid: int, row: Row) -> str:
        upid: str
        running = int(row["status"] == "running")
        if kind == "lxc":
            one = _one(call, vmid, target=params["target"], restart=running)
            upid = await migrate_ct.migrate_container(one)
            return upid
        one = _one(call, vmid, target=params["target"], online=running)
        if "with-local-disks" in params:
            one.params["with-local-disks"] = params["with-local-disks"]
        await _check_conditions(one, vmid)
        upid = await migrate_vm.migrate_guest(one)
        return upid

    async def work(log: TaskLog) -> None:
        guests = _chosen(call, templates=True, watched=True)
        if not guests:
            log("no virtual guests matched, nothing to do..")
            return
        failed = await _each(call, guests, act, log)
        if len(failed) == len(guests):
            raise TaskError("no migrations worker started...")
        log(f"All jobs finished, used {len(guests) - len(failed)} workers in total.")

    return await lab.tasks.start(call, params["node"], "migrateall", "", work)


async def _check_conditions(call: Call, vmid: int) -> None:
    """`TaskError` for a virtual machine that cannot go to the host."""
    params, found = call.params, await migration_conditions(call)
    reasons = found["not_allowed_nodes"].get(params["target"], {})
    faults = {
        "local resources": found["local_resources"],
        "unavailable storages": reasons.get("unavailable_storages", []),
        "unavailable resources": reasons.get("unavailable-resources", []),
    }
    if params["online"] and not params.get("with-local-disks"):
        disks = [disk["volid"] for disk in found["local_disks"]]
        faults = {"local disks": disks, **faults}
    told = [f"  Has {name}: {', '.join(what)}" for name, what in faults.items() if what]
    if told:
        raise TaskError("\n".join([f"skip VM {vmid} - precondition check failed:", *told]))
