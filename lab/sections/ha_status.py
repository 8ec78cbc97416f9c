"""What the HA stack tells about itself: quorum, manager, hosts and services."""

from __future__ import annotations

import time
from typing import Any

from lab.call import Call
from lab.ha.config import DISARMED, MODE, RESOURCE, STATUS, disarmed, guest_of, wanted
from lab.routes import handles
from lab.section_file import Section

_AT_REST = "disarmed"
_WORDS = ("max_restart", "max_relocate", "failback", "comment")


@handles("GET", "/cluster/ha/status/current")
async def read_current(call: Call) -> Any:
    """One row each for quorum, manager and fencing once there is something to watch, hosts and
    services."""
    store, nodes = call.lab.store, [node["name"] for node in call.lab.nodes()]
    rows: list[dict[str, Any]] = [_quorum(nodes[0])]
    active = bool(store.items(STATUS))
    now, clock = int(time.time()), time.strftime("%a %b %e %H:%M:%S %Y")
    if active:
        text = f"{nodes[0]} (active, {clock})"
        rows.append(_row("master", "master", nodes[0], text) | {"timestamp": now})
    rows.append(_fencing(nodes[0], disarmed(store), active=active))
    for node in nodes if active else ():
        busy = any(row["node"] == node for _, row in store.items(STATUS))
        words = "active, watchdog active" if busy else "idle, watchdog standby"
        row = _row(f"lrm:{node}", "lrm", node, f"{node} ({words}, {clock})")
        rows.append(row | {"timestamp": now})
    return [*rows, *(_service(call, sid) for sid in _sids(call))]


def _row(name: str, kind: str, node: str, status: str) -> dict[str, Any]:
    return {"id": name, "type": kind, "node": node, "status": status}


def _quorum(node: str) -> dict[str, Any]:
    return _row("quorum", "quorum", node, "OK") | {"quorate": 1}


def _fencing(node: str, mode: str | None, *, active: bool) -> dict[str, Any]:
    if mode is not None:
        text = f"{_AT_REST}, resource mode: {mode} (CRM watchdog released)"
        row = _row("fencing", "fencing", node, text)
        return row | {"armed-state": _AT_REST, "resource_mode": mode}
    state = "armed" if active else "standby"
    watchdog = "active" if active else "standby"
    text = f"{state} (CRM watchdog {watchdog})"
    return _row("fencing", "fencing", node, text) | {"armed-state": state}


def _sids(call: Call) -> list[str]:
    found = {sid for kind in (STATUS, RESOURCE) for sid, _ in call.lab.store.items(kind)}
    return sorted(found)


def _service(call: Call, sid: str) -> dict[str, Any]:
    store = call.lab.store
    row, status = store.get(RESOURCE, sid), store.get(STATUS, sid)
    found: dict[str, Any] = {"id": f"service:{sid}", "type": "service", "sid": sid}
    guest = guest_of(store, sid)
    node = status["node"] if status else guest[2]["node"] if guest else None
    if node is not None:
        found["node"] = node
    if status is not None:
        found["crm_state"] = status["state"]
    state = _state(status, wanted(row) if row else None, there=guest is not None)
    if disarmed(store) == "ignore":
        state = "ignore"
    found |= {"state": state, "status": f"{sid} ({node or '---'}, {state})"}
    if row is not None:
        full = wanted(row)
        found["request_state"] = full["state"]
        found |= {name: full[name] for name in _WORDS if name in full}
    return found


def _state(status: Section | None, service: Section | None, *, there: bool) -> str:
    if service is None:
        return "deleting"
    asked = service["state"]
    if asked == "ignored" or not there:
        return "ignored" if asked == "ignored" else "not found"
    now: str = status["state"] if status else "queued"
    if now == "stopped" and asked in ("started", "disabled"):
        return "starting" if asked == "started" else "disabled"
    if now == "started" and asked != "started":
        return "stopping"
    return "clearing error flag" if now == "error" and asked == "disabled" else now


@handles("GET", "/cluster/ha/status/manager_status")
async def read_manager_status(call: Call) -> Any:
    """The manager's own notes."""
    store, nodes = call.lab.store, [node["name"] for node in call.lab.nodes()]
    services = {
        sid: {"node": row["node"], "state": row["state"]} for sid, row in store.items(STATUS)
    }
    status: dict[str, Any] = {}
    if services:
        status = {
            "master_node": nodes[0],
            "timestamp": int(time.time()),
            "node_status": dict.fromkeys(nodes, "online"),
            "service_status": services,
        }
    if mode := disarmed(store):
        status["disarm"] = {"mode": mode, "state": _AT_REST}
    lrm = {node: {"mode": "active", "state": "active"} for node in nodes} if services else {}
    answer: dict[str, Any] = {"manager_status": status, "quorum": {"node": nodes[0], "quorate": 1}}
    return answer | ({"lrm_status": lrm} if lrm else {})


@handles("POST", "/cluster/ha/status/disarm-ha")
async def disarm(call: Call) -> Any:
    """Let the manager rest: services are frozen, or may be managed as if it was not there."""
    call.lab.store.put(MODE, DISARMED, {"mode": call.params["resource-mode"]})


@handles("POST", "/cluster/ha/status/arm-ha")
async def arm(call: Call) -> Any:
    """Let the manager go on."""
    call.lab.store.delete(MODE, DISARMED)
    call.lab.ha.wake()
