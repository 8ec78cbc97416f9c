"""What the firewall has noted: the log of a host, and a guest's part of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lab.call import Call
from lab.routes import handles

PAGE = 50
_NOTHING = "no content"


def _answer(call: Call, vmid: int | None) -> list[dict[str, Any]]:
    """Lines that fit, numbered from one, from `start` on and at most `limit` of them."""
    network, params = call.lab.network, call.params
    lines = network.journal.lines(params["node"]) if network is not None else []
    found = [
        line
        for line in lines
        if (vmid is None or line.startswith(f"{vmid} ")) and _within(line, params)
    ]
    call.extra["total"] = len(found) or 1  # of nothing, one line tells
    if not found:
        return [{"n": 1, "t": _NOTHING}]
    start, limit = params.get("start", 0), params.get("limit", PAGE)
    end = start + limit if limit else len(found)
    return [{"n": n, "t": line} for n, line in enumerate(found[start:end], start + 1)]


def _within(line: str, params: dict[str, Any]) -> bool:
    since, until = params.get("since"), params.get("until")
    if since is None and until is None:
        return True
    when = _seconds(line)
    return (since is None or when >= since) and (until is None or when <= until)


def _seconds(line: str) -> float:
    words = line.split(" ", 5)
    return datetime.strptime(f"{words[3]} {words[4]}", "%d/%b/%Y:%H:%M:%S %z").timestamp()


@handles("GET", "/nodes/{node}/firewall/log")
async def read_host_log(call: Call) -> Any:
    """All notes of a host's firewall."""
    return _answer(call, None)


@handles("GET", "/nodes/{node}/qemu/{vmid}/firewall/log")
@handles("GET", "/nodes/{node}/lxc/{vmid}/firewall/log")
async def read_guest_log(call: Call) -> Any:
    """What a host's firewall has noted about a guest."""
    return _answer(call, int(call.params["vmid"]))
