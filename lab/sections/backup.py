"""Backup jobs: which guests are saved when, where to and how."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping
from typing import Any

from lab.calendar_event import DAYS, parse_calendar_event
from lab.call import Call
from lab.errors import ApiError, bad_parameter, failure
from lab.formats import checked_together, named_format, parse_property_string, split_list
from lab.routes import handles
from lab.section_file import check_lines, filled
from lab.spec import load_formats, load_methods
from lab.store import Value
from lab.vzdump.notes import check_notes
from lab.vzdump.selection import guest_tree, included_guests

KIND = "backupjob"
_SELECTIONS = ("vmid", "all", "pool")
_ROOT_ONLY = ("tmpdir", "dumpdir", "script", "job-id")
_SYSTEM = ("bwlimit", "ionice", "performance")
_NOT_DELETED = frozenset({"id", "delete", "schedule", "starttime", "dow", "enabled"})
_OBJECTS = ("prune-backups", "fleecing", "performance")
_OBJECT_FORMATS = {
    "prune-backups": "prune-backups",
    "fleecing": "backup-fleecing",
    "performance": "backup-performance",
}


@named_format("pve-day-of-week")
def _day_of_week(text: str) -> None:
    if text not in DAYS:
        raise ValueError(f"invalid day '{text}'")


@checked_together("prune-backups")
def _keep(values: dict[str, Any]) -> None:
    if values.get("keep-all") and any(v > 0 for k, v in values.items() if k != "keep-all"):
        raise ValueError("keep-all cannot be set together with other options.")


@checked_together("backup-fleecing")
def _fleecing(values: dict[str, Any]) -> None:
    if values.get("enabled") and not values.get("storage"):
        raise ValueError("'storage' parameter is required when 'enabled' is set")


def _wrapped(name: str, text: str) -> ApiError:
    """A fault of parameters found late: it comes as 500 with its own status in the text."""
    return ApiError(500, f"400 Parameter verification failed.\n{name}: {text}\n")


def _shown(name: str, job: Value) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": name, "type": "vzdump", "enabled": 1, **job}
    for key in _OBJECTS:
        if key in shown:
            found = parse_property_string(_OBJECT_FORMATS[key], shown[key])
            known = load_formats()[_OBJECT_FORMATS[key]].properties
            shown[key] = {
                option: value if known[option].type == "boolean" else str(value)
                for option, value in found.items()
            }
            if key == "prune-backups" and (found.get("keep-all") or not any(found.values())):
                shown[key] = {"keep-all": 1}
    return shown


def _next_run(job: dict[str, Any]) -> dict[str, Any]:
    """When the job's calendar says it runs next, in seconds since 1970, enabled or not."""
    following = parse_calendar_event(job["schedule"]).next_after(datetime.datetime.now())
    return {"next-run": int(following.timestamp())} if following else {}


@handles("GET", "/cluster/backup")
async def list_jobs(call: Call) -> Any:
    """All jobs with the time of their next run."""
    jobs = [_shown(name, job) for name, job in call.lab.store.items(KIND)]
    return [job | _next_run(job) for job in jobs]


@handles("GET", "/cluster/backup/{id}")
async def read_job(call: Call) -> Any:
    """One job, without the time of its next run."""
    job = call.lab.store.get(KIND, call.params["id"])
    if job is None:
        raise bad_parameter("id", f"No such job '{call.params['id']}'")
    return _shown(call.params["id"], job)


def _given(call: Call, *, new: bool) -> dict[str, Any]:
    """The settings of a call, with the older way to say when turned into a calendar event."""
    values = {k: v for k, v in call.params.items() if k not in ("id", "delete", "starttime", "dow")}
    start = call.params.get("starttime")
    if "schedule" in values:
        if start is not None:
            raise bad_parameter("starttime", "'starttime' and 'schedule' cannot both be set")
    elif start is not None:
        days = ",".join(split_list(call.params.get("dow", "")))
        values["schedule"] = start if days in ("", ",".join(DAYS)) else f"{days} {start}"
    elif new:
        raise bad_parameter("schedule", "neither 'starttime' nor 'schedule' were set")
    return values


def _check_caller(call: Call, given: Mapping[str, Any], *, gone: bool = False) -> None:
    """What only root may set, and what needs a right of its own, in settings or their removal."""
    if call.is_root:
        return
    for name in _ROOT_ONLY:
        if name in given:
            raise bad_parameter(name, "Only root may set this option.")
    rights = call.lab.rights
    if any(name in given for name in _SYSTEM):
        rights.require(call.user, "/", ["Sys.Modify"])
    if given.get("fleecing") and not gone:
        fleecing = parse_property_string("backup-fleecing", given["fleecing"])
        if place := fleecing.get("storage"):
            rights.require(call.user, f"/storage/{place}", ["Datastore.AllocateSpace"])


def _check_storage(call: Call, job: Mapping[str, Any]) -> None:
    """The right on the storage that a job writes to, which is `local` if it does not say."""
    if not call.is_root and not job.get("dumpdir"):
        storage = job.get("storage") or "local"
        call.lab.rights.require(call.user, f"/storage/{storage}", ["Datastore.Allocate"])


def _check_pool(call: Call) -> None:
    if pool := call.params.get("pool"):
        call.lab.rights.require_pool(pool)
        call.lab.rights.require(call.user, f"/pool/{pool}", ["VM.Backup"])


def _check_selection(values: dict[str, Any], *, whole: bool) -> None:
    """What cannot go together; of a whole job also that it selects something."""
    for name in ("all", "exclude", "pool"):
        if values.get(name) and values.get("vmid"):
            raise _wrapped(name, "option conflicts with option 'vmid'")
    if text := values.get("notes-template"):
        try:
            check_notes(text)
        except ApiError as error:
            raise _wrapped("notes-template", error.errors["notes-template"]) from error
    if "exclude" in values and not values.get("pool"):
        values["all"] = 1
    if whole and not any(values.get(name) for name in (*_SELECTIONS, "stop")):
        raise _wrapped("vmid", "property is missing")


@handles("POST", "/cluster/backup")
async def create_job(call: Call) -> Any:
    """A new job; it must say when, and which guests."""
    _check_caller(call, call.params)
    _check_storage(call, call.params)
    _check_pool(call)
    values = _given(call, new=True)
    name = call.params.get("id") or str(uuid.uuid4())
    if call.lab.store.get(KIND, name) is not None:
        raise failure(f"Job '{name}' already exists")
    _check_selection(values, whole=True)
    check_lines(values)
    call.lab.store.put(KIND, name, filled(values))


@handles("PUT", "/cluster/backup/{id}")
async def change_job(call: Call) -> Any:
    """Change and delete settings; a new selection of guests takes the place of the old one."""
    gone = split_list(call.params.get("delete", ""))
    changed = {name: value for name, value in call.params.items() if name not in ("id", "delete")}
    job = dict(call.lab.store.get(KIND, call.params["id"]) or {})
    _check_change(call, changed, gone)
    _check_pool(call)
    values = _given(call, new=False)
    if not values and not gone:
        raise failure("no options specified")
    _check_selection(values, whole=False)
    if not job:
        raise failure("no such vzdump job")
    if job.get("dumpdir") and not call.is_root:
        raise failure("only root@pam may edit jobs with a 'dumpdir' option.")
    _check_storage(call, job)
    known = load_methods()["PUT", call.pattern].parameters.keys() - _NOT_DELETED
    for name in gone:
        if name not in known:
            raise _wrapped("delete", f"unknown option '{name}'")
        job.pop(name, None)
    job |= values
    for name in _replaced(job, values):
        job.pop(name, None)
    _check_selection(job, whole=True)
    check_lines(job)
    call.lab.store.put(KIND, call.params["id"], filled(job))


def _check_change(call: Call, changed: Mapping[str, Any], gone: list[str]) -> None:
    _check_caller(call, changed)
    _check_caller(call, dict.fromkeys(gone, 1), gone=True)
    if not call.is_root and (changed.get("storage") or "storage" in gone):
        _check_storage(call, {"storage": changed.get("storage")})


def _replaced(job: dict[str, Any], values: dict[str, Any]) -> tuple[str, ...]:
    """The selections that the latest one takes the place of."""
    if "exclude" in job and "pool" not in job:
        job["all"] = 1
    if "vmid" in values:
        return ("all", "exclude", "pool")
    if values.get("all"):
        return ("vmid", "pool")
    return ("vmid", "all", "exclude") if job.get("pool") else ()


@handles("DELETE", "/cluster/backup/{id}")
async def delete_job(call: Call) -> Any:
    """Remove a job."""
    if call.lab.store.get(KIND, call.params["id"]) is None:
        raise _wrapped("id", f"No such job '{call.params['id']}'")
    call.lab.store.delete(KIND, call.params["id"])


@handles("GET", "/cluster/backup/{id}/included_volumes")
async def included_volumes(call: Call) -> Any:
    """The guests a job saves and their disks, as a tree; without those the caller may not see."""
    lab, job = call.lab, call.lab.store.get(KIND, call.params["id"])
    if job is None:
        raise bad_parameter("id", f"No such job '{call.params['id']}'")
    chosen = included_guests(lab, job, job.get("node"))
    seen = [vmid for vmid in chosen if lab.rights.has(call.user, f"/vms/{vmid}", ["VM.Audit"])]
    return {"children": [guest_tree(lab, vmid) for vmid in seen]}


@handles("GET", "/cluster/backup-info/not-backed-up")
async def not_backed_up(call: Call) -> Any:
    """Guests that no job saves, as far as the caller may see them."""
    lab = call.lab
    saved = {vmid for _, job in lab.store.items(KIND) for vmid in included_guests(lab, job)}
    found = []
    for kind, key in (("qemu", "name"), ("lxc", "hostname")):
        for vmid, row in lab.store.items(kind):
            seen = lab.rights.has(call.user, f"/vms/{vmid}", ["VM.Audit"])
            if seen and int(vmid) not in saved:
                name = row["config"].get(key)
                found.append({"vmid": int(vmid), "type": kind} | ({"name": name} if name else {}))
    return found


@handles("GET", "/cluster/jobs/schedule-analyze")
async def analyze_schedule(call: Call) -> Any:
    """When a schedule runs next, and the times after that."""
    event = parse_calendar_event(call.params["schedule"])
    start = call.params.get("starttime")
    now = datetime.datetime.fromtimestamp(start) if start is not None else datetime.datetime.now()
    times: list[dict[str, Any]] = []
    while len(times) < call.params.get("iterations", 10) and (next_ := event.next_after(now)):
        now = next_
        stamp = int(now.timestamp())
        times.append({"timestamp": stamp, "utc": time.asctime(time.gmtime(stamp))})
    return times
