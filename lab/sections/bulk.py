"""All guests of a host at once: started, stopped, suspended or sent elsewhere; and hosts woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.acting import act_on_guest, ask_guest, went_well
from lab.call import Call
from lab.errors import ApiError, TaskError, bad_parameter, failure, forbidden
from lab.formats import parse_property_string, split_list
from lab.ha.config import is_managed, sid_of
from lab.machine import startup
from lab.routes import handles
from lab.sections.options import options
from lab.store import Value
from lab.tasks import TaskLog

_LAST = 2**63
_SHUTDOWN_S = 180
_NOUNS = {"qemu": "VM", "lxc": "CT"}


@dataclass(frozen=True, slots=True)
class _Member:
    """A guest of the host, and when its turn is."""

    kind: str
    vmid: int
    row: Value
    order: int
    down_s: int | None

    @property
    def noun(self) -> str:
        """How logs call it."""
        return f"{_NOUNS[self.kind]} {self.vmid}"

    @property
    def place(self) -> tuple[str, str, int]:
        """Where calls to it go."""
        return (self.row["node"], self.kind, self.vmid)

    @property
    def running(self) -> bool:
        """Whether it is on."""
        return bool(self.row["status"] == "running")


def _check(call: Call, *names: str) -> None:
    """Rights on all guests, or on each of those that are named."""
    rights, vms = call.lab.rights, split_list(call.params.get("vms", ""))
    if rights.has(call.user, "/", list(names)):
        return
    if not vms:
        raise forbidden(f"/, {' && '.join(names)}")
    for vmid in vms:
        rights.require(call.user, f"/vms/{vmid}", [names[0]])


def _members(call: Call, *, everyone: bool = False) -> list[_Member]:
    """The guests of the host: those named, else all but templates and those that are watched."""
    store, named = call.lab.store, None
    if "vms" in call.params:
        named = frozenset(split_list(call.params["vms"]))
    found = []
    for kind in _NOUNS:
        for vmid, row in store.items(kind):
            if row["node"] != call.params["node"] or (named is not None and vmid not in named):
                continue
            watched = named is None and is_managed(store, sid_of(store, vmid))
            if everyone or not (row["config"].get("template") or watched):
                found.append(_member(kind, int(vmid), row))
    return sorted(found, key=lambda member: (member.order, member.vmid))


def _member(kind: str, vmid: int, row: Value) -> _Member:
    said = startup(row["config"])
    return _Member(kind, vmid, row, said.get("order", _LAST), said.get("down"))


async def _do(call: Call, member: _Member, action: str, log: TaskLog, **params: Any) -> str:
    """One guest's own task, waited for: how it ended, or nothing when it was refused."""
    try:
        return await act_on_guest(call.lab, call.user, member.place, action, **params)
    except ApiError as error:
        log(error.message)
        return ""


async def _in_turns(
    members: list[_Member], act: Callable[[_Member], Any], *, backwards: bool = False
) -> None:
    """Those of one order together, one order after the other."""
    for order in sorted({member.order for member in members}, reverse=backwards):
        await asyncio.gather(*(act(member) for member in members if member.order == order))


@handles("POST", "/nodes/{node}/startall")
async def start_all(call: Call) -> str:
    """Start what is to be on with its host, or with `force` everything."""
    _check(call, "VM.PowerMgmt")

    async def work(log: TaskLog) -> None:
        async def start(member: _Member) -> None:
            if member.running:
                return
            log(f"Starting {member.noun}")
            status = await _do(call, member, "status/start", log)
            if status and not went_well(status):
                log(f"Starting {member.noun} failed: {status}")

        force = call.params.get("force")
        found = [m for m in _members(call) if force or int(m.row["config"].get("onboot", 0))]
        await _in_turns(found, start)

    return await call.lab.tasks.start(call, call.params["node"], "startall", "", work)


@handles("POST", "/nodes/{node}/stopall")
async def stop_all(call: Call) -> str:
    """Shut everything down, by force when it takes too long."""
    _check(call, "VM.PowerMgmt")

    async def work(log: TaskLog) -> None:
        async def stop(member: _Member) -> None:
            if not member.running:
                return
            limit = member.down_s
            timeout = call.params.get("timeout", _SHUTDOWN_S) if limit is None else limit
            log(f"Stopping {member.noun} (timeout = {timeout} seconds)")
            force = call.params.get("force-stop", 1)
            await _do(call, member, "status/shutdown", log, timeout=timeout, forceStop=force)

        await _in_turns(_members(call), stop, backwards=True)

    return await call.lab.tasks.start(call, call.params["node"], "stopall", "", work)


@handles("POST", "/nodes/{node}/suspendall")
async def suspend_all(call: Call) -> str:
    """Suspend all machines to their disks."""
    _check(call, "VM.PowerMgmt", "VM.Config.Disk")

    async def work(log: TaskLog) -> None:
        async def suspend(member: _Member) -> None:
            if member.kind != "qemu":
                log.warn(f"skipping {member.vmid}, only VMs can be suspended")
            elif not member.running:
                log(f"{member.noun} not running, skipping suspension")
            else:
                log(f"Suspending {member.noun}")
                await _do(call, member, "status/suspend", log, todisk=1)

        await _in_turns(_members(call), suspend, backwards=True)

    return await call.lab.tasks.start(call, call.params["node"], "suspendall", "", work)


@handles("POST", "/nodes/{node}/migrateall")
async def migrate_all(call: Call) -> str:
    """Send all guests to another host; those that cannot go stay."""
    _check(call, "VM.Migrate")
    target = call.params["target"]
    if target == call.params["node"]:
        raise bad_parameter("target", "target is local node.")
    if call.lab.store.get("node", target) is None:
        raise failure(f"no such cluster node '{target}'")
    workers = call.params.get("max-workers") or call.params.get("maxworkers")
    if not workers and not options(call).get("max_workers"):
        raise failure(
            "either 'max-workers' parameter or max_workers in datacenter.cfg must be set!"
        )

    async def work(log: TaskLog) -> None:
        found = sorted(_members(call, everyone=True), key=lambda member: str(member.vmid))
        if not found:
            log("no virtual guests matched, nothing to do..")
            return
        started = [await _send(call, member, target, log) for member in found]
        if not any(started):
            raise TaskError("no migrations worker started...")
        log(f"All jobs finished, used {sum(started)} workers in total.")

    return await call.lab.tasks.start(call, call.params["node"], "migrateall", "", work)


async def _send(call: Call, member: _Member, target: str, log: TaskLog) -> bool:
    """Whether a guest could be sent on its way."""
    live = int(member.running)
    if member.kind == "lxc":
        log(f"Migrating {member.noun}")
        return bool(await _do(call, member, "migrate", log, target=target, restart=live))
    with_disks = {k: call.params[k] for k in ("with-local-disks",) if k in call.params}
    faults = await _obstacles(call, member, target, live=bool(live))
    if faults:
        log(f"Check {member.noun}: skip {member.noun} - precondition check failed:")
        log("\n".join(f"  {fault}" for fault in faults))
        return False
    log(f"Check {member.noun}: precondition check passed")
    log(f"Migrating {member.noun}")
    return bool(await _do(call, member, "migrate", log, target=target, online=live, **with_disks))


async def _obstacles(call: Call, member: _Member, target: str, *, live: bool) -> list[str]:
    """What keeps a machine from going there, as its own check tells it."""
    found = await ask_guest(call.lab, call.user, "GET", member.place, "migrate", target=target)
    missing = found.get("not_allowed_nodes", {}).get(target, {})
    disks = [disk["volid"] for disk in found.get("local_disks", [])]
    told = {
        "Has local disks": disks if live and not call.params.get("with-local-disks") else [],
        "Has local resources": found.get("local_resources", []),
        "Has unavailable storages": missing.get("unavailable_storages", []),
        "Has unavailable resources": missing.get("unavailable-resources", []),
    }
    return [f"{text}: {', '.join(names)}" for text, names in told.items() if names]


@handles("POST", "/nodes/{node}/wakeonlan")
async def wake(call: Call) -> str:
    """The address that a host would be woken by; nothing is sent."""
    lab, node = call.lab, call.params["node"]
    if node in ("localhost", lab.local):
        raise failure(f"'{node}' is local node, cannot wake my self!")
    if lab.store.get("node", node) is None:
        raise failure(f"no such cluster node '{node}'")
    kept = lab.store.get("nodefile", f"{node}/config") or {"content": {}}
    text = kept["content"].get("wakeonlan")
    if not text:
        raise failure(f"No wake on LAN MAC address defined for '{node}'!")
    return str(parse_property_string("node-wakeonlan", text)["mac"])
