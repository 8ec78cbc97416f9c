"""Backup jobs: which guests are saved when, where to and how."""

from __future__ import annotations

import datetime
import secrets
from typing import Any

from lab.calendar_event import DAYS, parse_calendar_event
from lab.call import Call
from lab.errors import ApiError, bad_parameter, failure
from lab.formats import named_format, parse_property_string, split_list
from lab.routes import handles
from lab.store import Value
from lab.vzdump.selection import guest_tree, included_guests

KIND = "backupjob"
_SELECTIONS = ("vmid", "all", "pool")
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


def _wrapped(name: str, text: str) -> ApiError:
    """A fault of parameters found late: it comes as 500 with its own status in the text."""
    return ApiError(500, f"400 Parameter verification failed.\n{name}: {text}\n")


def _shown(name: str, job: Value) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": name, "type": "vzdump", "enabled": 1, **job}
    for key in _OBJECTS:
        if key in shown:
            found = parse_property_string(_OBJECT_FORMATS[key], shown[key])
            shown[key] = {option: str(value) for option, value in found.items()}
    return shown


def _next_run(job: dict[str, Any]) -> dict[str, Any]:
    """When the job runs next, in seconds since 1970; a disabled one does not."""
    if not job["enabled"]:
        return {}
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


def _given(call: Call) -> dict[str, Any]:
    values = {k: v for k, v in call.params.items() if k not in ("id", "delete", "starttime", "dow")}
    if "starttime" in call.params:
        if "schedule" in values:
            raise bad_parameter("schedule", "'schedule' and 'starttime' are mutually exclusive")
        days = call.params.get("dow", ",".join(DAYS))
        values["schedule"] = f"{days} {call.params['starttime']}"
    return values


def _check_pool(call: Call, values: dict[str, Any]) -> None:
    if values.get("pool"):
        call.lab.rights.require_pool(values["pool"])


@handles("POST", "/cluster/backup")
async def create_job(call: Call) -> Any:
    """A new job; it must say when, and which guests."""
    values = _given(call)
    name = call.params.get("id") or _new_id()
    _check_pool(call, values)
    if "schedule" not in values:
        raise bad_parameter("schedule", "neither 'starttime' nor 'schedule' were set")
    if not any(values.get(selection) for selection in _SELECTIONS):
        raise _wrapped("vmid", "property is missing")
    if call.lab.store.get(KIND, name) is not None:
        raise failure(f"Job '{name}' already exists")
    call.lab.store.put(KIND, name, _filled(values))


def _filled(job: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in job.items() if value != ""}


def _new_id() -> str:
    return f"backup-{secrets.token_hex(4)}-{secrets.token_hex(2)}"


@handles("PUT", "/cluster/backup/{id}")
async def change_job(call: Call) -> Any:
    """Change and delete settings; a new selection of guests takes the place of the old one."""
    job = call.lab.store.get(KIND, call.params["id"])
    if job is None:
        raise failure("no such vzdump job")
    values = _given(call)
    _check_pool(call, values)
    gone = set(split_list(call.params.get("delete", "")))
    if chosen := next((s for s in _SELECTIONS if values.get(s)), None):
        gone |= {selection for selection in _SELECTIONS if selection != chosen}
        if chosen != "all":
            gone.add("exclude")
    kept = {key: value for key, value in job.items() if key not in gone - values.keys()}
    call.lab.store.put(KIND, call.params["id"], _filled({**kept, **values}))


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
