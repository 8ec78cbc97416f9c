"""Which backups are kept: retention as Proxmox VE counts it, and the calls that apply it.

Backups of one guest are looked at from the newest on. `keep-last` keeps that many; the others keep
the newest one of each hour, day, week, month or year, as many as they say, not counting periods of
which one is kept already.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.archives import kind_of, parse_file_name
from lab.call import Call
from lab.errors import failure
from lab.formats import parse_property_string
from lab.routes import handles
from lab.storage import definitions
from lab.storage.definitions import storage_config
from lab.storage.status import STORAGE
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.tasks import TaskLog

Entry = dict[str, Any]
Keep = dict[str, int]
_PERIODS: dict[str, Callable[[int], str]] = {
    "keep-last": str,
    "keep-hourly": lambda t: time.strftime("%H/%d/%m/%Y", time.localtime(t)),
    "keep-daily": lambda t: time.strftime("%d/%m/%Y", time.localtime(t)),
    "keep-weekly": lambda t: time.strftime("%V/%G", time.localtime(t)),
    "keep-monthly": lambda t: time.strftime("%m/%Y", time.localtime(t)),
    "keep-yearly": lambda t: time.strftime("%Y", time.localtime(t)),
}


def read_keep(text: str | None) -> Keep:
    """The counts of a `prune-backups` text; empty, or `keep-all`, keeps everything."""
    return parse_property_string("prune-backups", text) if text else {}


def keep_of(lab: Lab, storage: str) -> Keep:
    """What a storage says is to be kept."""
    return read_keep(storage_config(lab, storage).get("prune-backups"))


def marked(
    lab: Lab, storage: str, node: str, keep: Keep, *, vmid: int | None = None,
    kind: str | None = None,
) -> list[Entry]:  # fmt: skip
    """The backups on a storage, each with its `mark`: `keep`, `remove`, `protected`, or `renamed`
    for one whose name does not say when it was made."""
    groups: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    entries = []
    for row in volumes(lab).listed(storage, node, content="backup"):
        file = row["volid"].rpartition("/")[2]
        if kind not in (None, kind_of(file)) or vmid not in (None, row["vmid"]):
            continue
        entry: Entry = {"volid": row["volid"], "type": kind_of(file), "ctime": row["ctime"]}
        if row["vmid"] is not None:
            entry["vmid"] = row["vmid"]
        if named := parse_file_name(file):
            entry["ctime"] = named[2]
            groups[named[0], named[1]].append(entry)
        else:
            entry["mark"] = "renamed"
        if row.get("protected"):
            entry["mark"] = "protected"
        entries.append(entry)
    for group in groups.values():
        _mark(group, keep)
    return entries


def _mark(group: list[Entry], keep: Keep) -> None:
    counts = {name: keep[name] for name in _PERIODS if keep.get(name)}
    if keep.get("keep-all") or not counts:
        for entry in group:
            entry.setdefault("mark", "keep")
        return
    newest_first = sorted(group, key=lambda entry: -entry["ctime"])
    for name, count in counts.items():
        _mark_period(newest_first, count, _PERIODS[name])
    for entry in newest_first:
        entry.setdefault("mark", "remove")


def _mark_period(entries: list[Entry], count: int, period: Callable[[int], str]) -> None:
    had = {period(entry["ctime"]) for entry in entries if entry.get("mark") == "keep"}
    new: set[str] = set()
    for entry in entries:
        name = period(entry["ctime"])
        if "mark" in entry or name in had:
            continue
        if name in new:
            entry["mark"] = "remove"
        elif len(new) >= count:
            return
        else:
            new.add(name)
            entry["mark"] = "keep"


def remove(lab: Lab, node: str, entries: list[Entry], log: Callable[[str], None]) -> int:
    """Remove what is marked for it; how many that were."""
    gone = [entry["volid"] for entry in entries if entry["mark"] == "remove"]
    for volid in gone:
        log(f"removing backup '{volid}'")
        volumes(lab).free(volid, node)
    return len(gone)


def _entries(call: Call) -> list[Entry]:
    params = call.params
    storage, node, wanted = params["storage"], params["node"], params.get("prune-backups")
    config = storage_config(call.lab, storage)
    if "backup" not in definitions.contents(config):
        raise failure(f"storage '{storage}' does not support backups")
    if not wanted and not config.get("prune-backups"):
        raise failure(f"no prune-backups options configured for storage '{storage}'")
    storage_config(call.lab, storage, node)
    keep = read_keep(wanted) if wanted else keep_of(call.lab, storage)
    vmid, kind = params.get("vmid"), params.get("type")
    return marked(call.lab, storage, node, keep, vmid=vmid, kind=kind)


@handles("GET", f"{STORAGE}/prunebackups")
async def read_marks(call: Call) -> list[Entry]:
    """What pruning would do."""
    return _entries(call)


@handles("DELETE", f"{STORAGE}/prunebackups")
async def prune_backups(call: Call) -> str:
    """Prune as a task."""
    params, rights = call.params, call.lab.rights
    storage, vmid = params["storage"], params.get("vmid")
    if vmid is None:
        rights.require(call.user, f"/storage/{storage}", ["Datastore.Allocate"])
    else:
        rights.require(call.user, f"/storage/{storage}", ["Datastore.AllocateSpace"])
        rights.require(call.user, f"/vms/{vmid}", ["VM.Backup"])
    about = storage if vmid is None else f"{vmid}@{storage}"

    async def work(log: TaskLog) -> None:
        remove(call.lab, params["node"], _entries(call), log)

    return await call.lab.tasks.start(call, params["node"], "prunebackups", about, work)
