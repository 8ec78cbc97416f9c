"""Run backups of guests of one host, as a task: one guest after the other.

A guest that cannot be saved is told in the log, the others go on, and the task ends as
`job errors`. One run at a time per host; others wait for it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from lab.archives import contents_of, file_name, size_of
from lab.call import Call
from lab.errors import ApiError, TaskError, bad_parameter, failure, late_text
from lab.formats import parse_property_string, split_list
from lab.guests.options import refuse
from lab.routes import handles
from lab.storage import definitions, space
from lab.storage.definitions import storage_config
from lab.storage.rights import UNLIMITED, max_protected, require_space, too_many_protected
from lab.storage.sizes import format_size
from lab.storage.volumes import volumes
from lab.vzdump import prune, suspend
from lab.vzdump.notes import check_notes, fill_notes
from lab.vzdump.read import DEFAULT_STORAGE, DEFAULTS, VZDUMP
from lab.vzdump.selection import find_machine, included_guests, saved_disks

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.machine import Machine
    from lab.tasks import TaskLog

_ROOT_ONLY = ("tmpdir", "dumpdir", "script", "job-id")
_SYSTEM = ("bwlimit", "ionice", "performance")


@handles("POST", VZDUMP)
async def run_backup(call: Call) -> str:
    """Save guests: a list, a pool's, or all; `OK` when none of them is on this host."""
    lab, params = call.lab, call.params
    node, storage = params["node"], params.get("storage", DEFAULT_STORAGE)
    _check_caller(call, storage)
    _check_selection(params)
    chosen = _chosen(call)
    if params.get("stop"):
        if not call.is_root:
            lab.rights.require(call.user, f"/nodes/{node}", ["Sys.Modify"])
        _stop_runs(lab, node)
    if not chosen[node] and (params.get("stop") or not params.get("all")):
        return "OK"
    require_space(call, storage)

    async def work(log: TaskLog) -> None:
        async with _host_lock(lab, node):
            await _Run(call, storage, log).run(sorted(chosen[node]), chosen["elsewhere"])

    about = str(chosen[node][0]) if len(chosen[node]) == 1 else ""
    return await lab.tasks.start(call, node, "vzdump", about, work)


def _host_lock(lab: Lab, node: str) -> asyncio.Lock:
    locks: dict[str, asyncio.Lock] = lab.cache.setdefault("vzdump", (None, {}))[1]
    return locks.setdefault(node, asyncio.Lock())


def _stop_runs(lab: Lab, node: str) -> None:
    for task in lab.tasks.list():
        if task["type"] == "vzdump" and task["node"] == node and lab.tasks.running(task["upid"]):
            lab.tasks.interrupt(task["upid"])


def _check_caller(call: Call, storage: str) -> None:
    params = call.params
    if params.get("stdout"):
        text = "option is only allowed on the command line interface."
        raise bad_parameter("stdout", text)
    if call.is_root:
        refuse(call, "dumpdir", "script")
        return
    for key in _ROOT_ONLY:
        if key in params:
            raise bad_parameter(key, "Only root may set this option.")
    rights = call.lab.rights
    if any(key in params for key in _SYSTEM):
        rights.require(call.user, "/", ["Sys.Modify"])
    fleecing = parse_property_string("backup-fleecing", params.get("fleecing", ""))
    if place := fleecing.get("storage"):
        require_space(call, place)
    if "prune-backups" in params:
        rights.require(call.user, f"/storage/{storage}", ["Datastore.Allocate"])


def _check_selection(params: dict[str, Any]) -> None:
    for key in ("all", "exclude", "pool"):
        if params.get(key) and params.get("vmid"):
            raise bad_parameter(key, "option conflicts with option 'vmid'")
    if text := params.get("notes-template"):
        check_notes(text)
    if "exclude" in params and not params.get("pool"):
        params["all"] = 1
    if not any(params.get(key) for key in ("all", "stop", "pool", "vmid")):
        raise bad_parameter("vmid", "property is missing")


def _chosen(call: Call) -> dict[str, list[int]]:
    """The guests to save on this host, and those of the selection that are elsewhere; numbers of
    no guest stay in, to fail where it is seen."""
    lab, node, pool = call.lab, call.params["node"], call.params.get("pool")
    if pool and lab.store.get("pool", pool) is None:
        raise failure(f"pool '{pool}' does not exist")
    wanted = included_guests(lab, call.params)
    here = included_guests(lab, call.params, node)
    return {node: here, "elsewhere": [vmid for vmid in wanted if vmid not in here]}


class _Run:
    """One run: options, and the log that its messages go to."""

    def __init__(self, call: Call, storage: str, log: TaskLog) -> None:
        self._call, self._lab = call, call.lab
        self._node: str = call.params["node"]
        self._storage = storage
        self._options = DEFAULTS | call.params
        self._log = log
        self._keep: prune.Keep = {}

    def info(self, text: str) -> None:
        """A line of the log."""
        self._log(f"INFO: {text}")

    async def run(self, vmids: list[int], elsewhere: list[int]) -> None:
        """Save the guests."""
        self._prepare()
        self.info(f"starting new backup job: {self._command()}")
        if elsewhere:
            self.info(f"skip external VMs: {', '.join(map(str, sorted(elsewhere)))}")
        failed = 0
        for vmid in [vmid for vmid in vmids if self._may(vmid)]:
            failed += not await self._save(vmid)
        end = "finished with errors" if failed else "finished successfully"
        self.info(f"Backup job {end}")
        if failed:
            raise TaskError("job errors")

    def _prepare(self) -> None:
        storage = self._storage
        try:
            config = storage_config(self._lab, storage, self._node)
            if "backup" not in definitions.contents(config):
                text = f"can't use storage '{storage}' for backups - wrong content type"
                raise failure(text)
        except ApiError as error:
            text = f"could not get storage information for '{storage}': {late_text(error)}"
            raise TaskError(text) from error
        given = self._call.params.get("prune-backups")
        self._keep = prune.read_keep(given) if given else prune.keep_of(self._lab, storage)

    def _command(self) -> str:
        given = self._call.params
        vmids = " ".join(split_list(given.get("vmid", "")))
        words = [
            f"--{key} {value}"
            for key, value in sorted(given.items())
            if key not in ("node", "vmid") and not isinstance(value, list)
        ]
        return " ".join(filter(None, ["vzdump", vmids, *words]))

    def _may(self, vmid: int) -> bool:
        rights, user = self._lab.rights, self._call.user
        if find_machine(self._lab, vmid) is None or self._call.is_root:
            return True
        if rights.has(user, f"/vms/{vmid}", ["VM.Backup"]):
            return True
        if not self._options["all"]:
            raise TaskError(f"403 Permission check failed (/vms/{vmid}, VM.Backup)")
        return False

    async def _save(self, vmid: int) -> bool:
        """Save one guest; whether that worked."""
        began = time.time()
        try:
            machine = find_machine(self._lab, vmid)
            if machine is None:
                raise failure(f"unable to find VM '{vmid}'")
            self._check_limit(machine)
            self.info(f"Starting Backup of VM {vmid} ({machine.KIND})")
            self.info(f"Backup started at {_moment(began)}")
            await self._save_locked(machine, began)
        except (ApiError, TaskError) as error:
            text = late_text(error) if isinstance(error, ApiError) else str(error)
            self._log(f"ERROR: Backup of VM {vmid} failed - {text}")
            self.info(f"Failed at {_moment(time.time())}")
            return False
        self.info(f"Finished Backup of VM {vmid} ({_duration(time.time() - began)})")
        self.info(f"Backup finished at {_moment(time.time())}")
        return True

    def _check_limit(self, machine: Machine) -> None:
        """500 when the storage has as many backups of the guest as it may."""
        lab, storage = self._lab, self._storage
        limit = 0 if self._keep.get("keep-all") else sum(self._keep.values())
        rows = [
            row
            for row in volumes(lab).listed(storage, self._node, content="backup")
            if row["vmid"] == machine.vmid
        ]
        guarded = sum(1 for row in rows if row.get("protected"))
        if self._options.get("protected"):
            most = max_protected(self._call, storage)
            if most != UNLIMITED and guarded >= most:
                raise failure(too_many_protected(most, storage))
        elif limit and not self._options["remove"] and len(rows) - guarded >= limit:
            raise failure(
                f"There is a max backup limit of {limit} enforced by the target storage or the "
                "vzdump parameters. Either increase the limit or delete old backups."
            )

    async def _save_locked(self, machine: Machine, began: float) -> None:
        lab, vmid = self._lab, machine.vmid
        running = machine.running
        self.info(f"status = {machine.status}")
        async with lab.locks.guest(vmid):
            machine = self._present(vmid)
            machine.check_lock()
            machine.config["lock"] = "backup"
            machine.save()
        try:
            pause = suspend.of(machine, self._options["mode"] if running else "stop", self._log)
            keys = self._announce(machine, pause.mode)
            async with pause:
                contents = contents_of(self._present(vmid), keys)
            self._store(machine, contents, began)
        finally:
            async with lab.locks.guest(vmid):
                machine = self._present(vmid)
                machine.config.pop("lock", None)
                machine.save()
        if self._options["remove"] and self._keep and not self._keep.get("keep-all"):
            self._prune(machine)

    def _present(self, vmid: int) -> Machine:
        machine = find_machine(self._lab, vmid)
        if machine is None:
            raise failure(f"unable to find VM '{vmid}'")
        return machine

    def _announce(self, machine: Machine, mode: str) -> list[str]:
        """Tell what is saved; the keys of the disks."""
        name = machine.config.get("hostname" if machine.KIND == "lxc" else "name")
        if name:
            self.info(f"{machine.WORD} Name: {name}")
        self.info(f"backup mode: {mode}")
        self.info(f"ionice priority: {self._options['ionice']}")
        keys = []
        for key, volid, saved, reason in saved_disks(machine):
            if saved:
                row = volumes(self._lab).require(volid, machine.node)
                self.info(f"include disk '{key}' '{volid}' {format_size(row['size'])}")
                keys.append(key)
            else:
                self.info(f"exclude disk '{key}' '{volid}' ({reason})")
        for what, there in (("snapshots", machine.snapshots), ("pending changes", machine.pending)):
            if there:
                self.info(f"{what} found (not included into backup)")
        return keys

    def _store(self, machine: Machine, contents: dict[str, Any], began: float) -> None:
        file = file_name(machine.KIND, machine.vmid, began, str(self._options["compress"]))
        volid, rows = f"{self._storage}:backup/{file}", volumes(self._lab)
        extra: dict[str, Any] = {}
        where = definitions.location(self._lab, volid)
        space.check(self._lab, storage_config(self._lab, self._storage), volid, self._node)
        self.info(f"creating vzdump archive '{where}'")
        size = size_of(contents)
        self.info(f"archive file size: {format_size(size)}")
        if template := self._options.get("notes-template"):
            self.info("adding notes to backup")
            extra["notes"] = fill_notes(template, machine)
        if self._options.get("protected"):
            self.info("marking backup as protected")
            extra["protected"] = 1
        rows.add(
            volid, self._node,
            size=size, used=size, filled=True, ctime=int(began), backup=contents, **extra,
        )  # fmt: skip

    def _prune(self, machine: Machine) -> None:
        told = ", ".join(f"{key}={count}" for key, count in sorted(self._keep.items()))
        self.info(f"prune older backups with retention: {told}")
        entries = prune.marked(
            self._lab, self._storage, self._node, self._keep, vmid=machine.vmid, kind=machine.KIND
        )
        gone = prune.remove(self._lab, self._node, entries, self.info)
        more = " not covered by keep-retention policy" if gone else ""
        self.info(f"pruned {gone} backup(s){more}")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _duration(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))
