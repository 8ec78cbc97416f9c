"""Tasks of a host: list, status, log, and how to end one."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.routes import handles
from lab.store import Value
from lab.tasks import parse_upid

PAGE = 50


def listed(task: Value) -> dict[str, Any]:
    """A task as lists show it; `status` and `endtime` only when it is over."""
    shown = _parts(task)
    if task["status"] is not None:
        shown |= {"status": task["status"], "endtime": task["endtime"]}
    return shown


def _parts(task: Value) -> dict[str, Any]:
    names = ("upid", "node", "pid", "pstart", "starttime", "type", "id", "user")
    shown = {name: task[name] for name in names}
    user, _, token = str(task["user"]).partition("!")
    return shown | ({"user": user, "tokenid": token} if token else {})


@handles("GET", "/nodes/{node}/tasks")
async def list_tasks(call: Call) -> Any:
    """Tasks of a host that fit the filters, newest first, one page of them."""
    params = call.params
    see_all = call.lab.rights.has(call.user, f"/nodes/{params['node']}", ["Sys.Audit"])
    found = [
        task
        for task in call.lab.tasks.list()
        if task["node"] == params["node"]
        and (see_all or is_own(call.user, task["user"]))
        and _wanted(task, params)
    ]
    if found:
        call.extra["total"] = len(found)
    start = params.get("start", 0)
    page = found[start : start + params.get("limit", PAGE)]
    # Lists of a host have a word for what runs, in place of a result.
    return [{"status": "RUNNING"} | listed(task) for task in page]


def is_own(caller: str, starter: str) -> bool:
    """Whether a task is the caller's: a user's are those of all their tokens too, a token's only
    its own."""
    return caller in (starter, starter.partition("!")[0])


def _owner(task: Value) -> str:
    return str(task["user"]).partition("!")[0]


def _wanted(task: Value, params: dict[str, Any]) -> bool:
    source = params.get("source", "archive")
    running = task["status"] is None
    return (
        (source == "all" or running == (source == "active"))
        and params.get("userfilter", "").lower() in _owner(task).lower()
        and params.get("typefilter") in (None, "", task["type"])
        and str(params.get("vmid", task["id"])) == task["id"]
        and params.get("since", 0) <= task["starttime"] <= params.get("until", task["starttime"])
        and _kind(task) in _kinds(params)
    )


def _kinds(params: dict[str, Any]) -> set[str]:
    """The kinds of results that are asked for; what still runs is of none that is known."""
    if params.get("errors"):
        return {"warning", "error", "unknown"}
    wanted = params.get("statusfilter", "ok,warning,error,unknown")
    return {name.lower() for name in split_list(wanted)}


def _kind(task: Value) -> str:
    status = task["status"]
    if status in (None, "unexpected status"):
        return "unknown"
    if status == "OK":
        return "ok"
    return "warning" if status.startswith("WARNINGS: ") else "error"


def _find(call: Call, *, privilege: str) -> Value:
    """The task of the path; 400 for a malformed or unknown id."""
    upid = call.params["upid"]
    if parse_upid(upid) is None:
        raise bad_parameter("upid", "unable to parse worker upid")
    task = _kept(call)
    if task is None:
        raise bad_parameter("upid", "no such task")
    _check_caller(call, task["user"], privilege)
    return task


def _kept(call: Call) -> Value | None:
    """The task of the path where its host is the one that is asked."""
    task = call.lab.tasks.get(call.params["upid"])
    return task if task and task["node"] == call.params["node"] else None


def _check_caller(call: Call, starter: str, privilege: str) -> None:
    """403 for somebody else's task without a right on the host."""
    if not is_own(call.user, starter):
        call.lab.rights.require(call.user, f"/nodes/{call.params['node']}", [privilege])


@handles("GET", "/nodes/{node}/tasks/{upid}/status")
async def read_status(call: Call) -> Any:
    """Whether a task runs, and how it ended."""
    task = _find(call, privilege="Sys.Audit")
    if task["status"] is None:
        return _parts(task) | {"status": "running"}
    return _parts(task) | {"status": "stopped", "exitstatus": task["status"]}


@handles("GET", "/nodes/{node}/tasks/{upid}/log")
async def read_log(call: Call) -> Any:
    """Lines of a task's log, numbered from one."""
    params = call.params
    named = parse_upid(params["upid"])
    if named is None:
        raise bad_parameter("upid", "unable to parse worker upid")
    _check_caller(call, named["user"], "Sys.Audit")
    if params.get("download") and not params.keys().isdisjoint(("start", "limit")):
        raise failure("'download' cannot be used together with 'start' or 'limit' parameters")
    task = _kept(call)
    if task is None:
        call.extra["total"] = 1
        return [{"n": 1, "t": "unable to open file - No such file or directory"}]
    lines, start = task["log"], params.get("start", 0)
    if not lines:
        lines, start = ["no content"], 0
    call.extra["total"] = len(lines)
    end = start + params.get("limit", PAGE) if params.get("limit") != 0 else len(lines)
    return [{"n": start + n, "t": line} for n, line in enumerate(lines[start:end], 1)]


@handles("DELETE", "/nodes/{node}/tasks/{upid}")
async def stop_task(call: Call) -> Any:
    """Interrupt a task; one that is over stays as it is."""
    _find(call, privilege="Sys.Modify")
    call.lab.tasks.interrupt(call.params["upid"])
