"""Replication jobs: copies of a guest's volumes on another host, on a schedule.

Nothing is copied. A job counts as run at each time of its schedule that has passed, and when it
is asked for; its status tells so.
"""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

from lab.calendar_event import parse_calendar_event
from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import bad_parameter, failure, forbidden
from lab.formats import named_format, split_list
from lab.guests.drives import is_drive, parse_drive
from lab.routes import handles
from lab.section_file import Section, filled, section_type
from lab.storage.definitions import is_shared
from lab.storage.names import split_volume_id
from lab.store import Store

KIND = "replication"
_TYPE = section_type("", "disable comment rate schedule remove_job source", "target")
_META = ("id", "type", "digest", "delete")
_ID = re.compile(r"(\d+)-(\d+)", re.ASCII)
_SCHEDULE = "*/15"
_DAY_S = 86_400
_COPYABLE = ("zfspool",)
_GUESTS = ("qemu", "lxc")


@named_format("pve-replication-job-id")
def _job_id(text: str) -> None:
    found, fault = _ID.fullmatch(text), f"invalid replication job id '{text}'"
    if not found:
        raise ValueError(fault)
    if int(found[1]) < 100:
        raise ValueError(f"{fault} (guest IDs < 100 are reserved)")


def _guest(name: str) -> str:
    return name.partition("-")[0]


def _find(call: Call, text: str) -> Section:
    found = call.lab.store.get(KIND, call.params["id"])
    if found is None:
        raise failure(f"no such {text} '{call.params['id']}'")
    return found


def _shown(name: str, job: Section) -> dict[str, Any]:
    return {"id": name, **{key: value for key, value in job.items() if key != "state"}}


def _rows(call: Call) -> list[tuple[str, Section]]:
    return [
        (name, job)
        for name, job in sorted(call.lab.store.items(KIND))
        if call.lab.rights.has(call.user, f"/vms/{job['guest']}", ["VM.Audit"])
    ]


@handles("GET", "/cluster/replication")
async def list_jobs(call: Call) -> Any:
    """Jobs of the guests that the caller may audit."""
    return [_shown(name, job) for name, job in _rows(call)]


@handles("GET", "/cluster/replication/{id}")
async def read_job(call: Call) -> Any:
    """One job."""
    job = _find(call, "replication job")
    call.lab.rights.require(call.user, f"/vms/{job['guest']}", ["VM.Audit"])
    digest = digest_of(dict(call.lab.store.items(KIND)))
    return {**_shown(call.params["id"], job), "digest": digest}


@handles("POST", "/cluster/replication")
async def create_job(call: Call) -> Any:
    """A new job for a guest whose volumes can be copied to the other host."""
    store, name, target = call.lab.store, call.params["id"], call.params["target"]
    guest = _guest(name)
    call.lab.rights.require(call.user, f"/vms/{guest}", ["VM.Replicate"])
    found = next(((k, row) for k in _GUESTS if (row := store.get(k, guest))), None)
    if found is None:
        raise failure(f"Guest '{guest}' does not exist.")
    if store.get("node", target) is None:
        raise failure(f"Target '{target}' does not exist.")
    kind, row = found
    if call.params.get("source", row["node"]) != row["node"]:
        text = f"Source '{call.params['source']}' does not match current node of guest '{guest}' "
        raise failure(f"{text}({row['node']})")
    if target == row["node"]:
        raise failure("Source and target must not be identical")
    if not _volumes(store, kind, row["config"]):
        raise failure("No replicatable volumes found")
    _put_new(store, name, {**_given(call.params), "source": row["node"]})


def _given(params: dict[str, Any]) -> Section:
    return filled({name: value for name, value in params.items() if name not in _META})


def _put_new(store: Store, name: str, values: Section) -> None:
    if store.get(KIND, name) is not None:
        raise failure(f"replication job '{name}' already exists")
    guest, _, number = name.partition("-")
    for _, other in store.items(KIND):
        if other["guest"] == int(guest) and other["target"] == values["target"]:
            raise failure(
                f"replication job for guest '{guest}' to target 'local/{values['target']}' "
                "already exists"
            )
    own = {"type": "local", "guest": int(guest), "jobnum": int(number)}
    state = {"last_sync": 0, "last_try": 0, "fail_count": 0, "made": int(time.time())}
    store.put(KIND, name, {**own, **values, "state": state})


def _volumes(store: Store, kind: str, config: Section) -> list[str]:
    """The volumes to be copied; 500 for one on a storage that cannot."""
    found = []
    for volid in _named(kind, config):
        name = split_volume_id(volid)
        storage = store.get("storage", name[0]) if name else None
        if storage is None or is_shared(storage):
            continue
        if storage["type"] not in _COPYABLE:
            raise failure(f"missing replicate feature on volume '{volid}'")
        found.append(volid)
    return found


def _named(kind: str, config: Section) -> list[str]:
    """The volumes that a configuration names, without CD drives and those to be left out."""
    if kind == "qemu":
        drives = [parse_drive(key, value) for key, value in config.items() if is_drive(key)]
        return [
            str(drive["file"])
            for drive in drives
            if drive.get("media") != "cdrom" and drive.get("replicate", 1)
        ]
    points = [str(v) for k, v in config.items() if k == "rootfs" or re.fullmatch(r"mp\d+", k)]
    return [point.split(",")[0] for point in points if "replicate=0" not in point]


@handles("PUT", "/cluster/replication/{id}")
async def change_job(call: Call) -> Any:
    """Change and delete options of a job; its target is fixed."""
    store, name = call.lab.store, call.params["id"]
    call.lab.rights.require(call.user, f"/vms/{_guest(name)}", ["VM.Replicate"])
    check_digest(call.params.get("digest"), dict(store.items(KIND)))
    job = _find(call, "job")
    values = {key: value for key, value in call.params.items() if key not in _META}
    _TYPE.check_change(values)
    gone = split_list(call.params.get("delete", ""))
    store.put(KIND, name, filled(_TYPE.without({**job, **values}, gone)))


@handles("DELETE", "/cluster/replication/{id}")
async def delete_job(call: Call) -> Any:
    """Remove a job at once; a real host does it with the job's next run."""
    call.lab.rights.require(call.user, f"/vms/{_guest(call.params['id'])}", ["VM.Replicate"])
    if call.params.get("force") and call.params.get("keep"):
        raise bad_parameter("keep", "conflicts with parameter 'force'")
    if not call.params.get("force"):
        _find(call, "job")
    call.lab.store.delete(KIND, call.params["id"])


def _status(name: str, job: Section) -> dict[str, Any]:
    """A job with when it last ran and will run next, in seconds since 1970."""
    event, now = parse_calendar_event(job.get("schedule", _SCHEDULE)), time.time()
    last, state = job["state"]["last_sync"], job["state"]
    moment = datetime.datetime.fromtimestamp(max(last, state["made"], now - _DAY_S))
    following = event.next_after(moment)
    while following is not None and following.timestamp() <= now:
        last, moment = int(following.timestamp()), following
        following = event.next_after(moment)
    if job.get("disable"):
        last, following = state["last_sync"], None
    times = {"last_sync": last, "last_try": last, "fail_count": 0}
    times["next_sync"] = int(following.timestamp()) if following else 0
    return _shown(name, job) | times | ({"duration": 0.5} if last else {})


@handles("GET", "/nodes/{node}/replication")
async def host_jobs(call: Call) -> Any:
    """Jobs whose guest is on the host, with their times; of one guest if asked for."""
    wanted = call.params.get("guest")
    return [
        _status(name, job)
        for name, job in _rows(call)
        if _here(call, job) and wanted in (None, job["guest"])
    ]


def _here(call: Call, job: Section) -> bool:
    rows = (call.lab.store.get(kind, str(job["guest"])) for kind in _GUESTS)
    return any(row is not None and row["node"] == call.params["node"] for row in rows)


@handles("GET", "/nodes/{node}/replication/{id}/status")
async def job_status(call: Call) -> Any:
    """One job of the host with its times."""
    job = _find(call, "replication job")
    if not _here(call, job):
        raise failure(f"no such replication job '{call.params['id']}'")
    call.lab.rights.require(call.user, f"/vms/{job['guest']}", ["VM.Audit"])
    return _status(call.params["id"], job)


@handles("GET", "/nodes/{node}/replication/{id}/log")
async def job_log(call: Call) -> Any:
    """What the last run wrote."""
    job, name = _find(call, "replication job"), call.params["id"]
    rights, node = call.lab.rights, call.params["node"]
    audit = (("VM.Audit", f"/vms/{job['guest']}"), ("Sys.Audit", f"/nodes/{node}"))
    if not any(rights.has(call.user, path, [privilege]) for privilege, path in audit):
        raise forbidden("")
    status = _status(name, job)
    lines = ["no content"]
    if status["last_sync"]:
        stamp = datetime.datetime.fromtimestamp(status["last_sync"]).strftime("%F %T")
        lines = [f"{stamp} {name}: {verb} replication job" for verb in ("start", "end")]
    start = call.params.get("start", 0)
    call.extra["total"] = len(lines)
    shown = lines[start : start + call.params.get("limit", 50)]
    return [{"n": number, "t": text} for number, text in enumerate(shown, start + 1)]


@handles("POST", "/nodes/{node}/replication/{id}/schedule_now")
async def schedule_now(call: Call) -> Any:
    """Let a job run now."""
    name = call.params["id"]
    call.lab.rights.require(call.user, f"/vms/{_guest(name)}", ["VM.Replicate"])
    job = _find(call, "replication job")
    state = {**job["state"], "last_sync": int(time.time())}
    call.lab.store.put(KIND, name, {**job, "state": state})
