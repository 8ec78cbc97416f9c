"""What the lab has answered in a span of time, from its request log."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATTERNS = (
    (re.compile(r"/(qemu|lxc)/\d+"), r"/\1/{vmid}"),
    (re.compile(r"^/nodes/[^/]+"), "/nodes/{node}"),
    (re.compile(r"/tasks/UPID[^/]*"), "/tasks/{upid}"),
    (re.compile(r"/storage/[^/]+/content/.+"), "/storage/{storage}/content/{volume}"),
    (re.compile(r"/nodes/\{node\}/storage/[^/]+"), "/nodes/{node}/storage/{storage}"),
    (re.compile(r"^/(pools|access/groups|access/roles|access/users|cluster/firewall/groups)/[^/]+"),
     r"/\1/{id}"),
    (re.compile(r"/(rules|groups/\{id\})/\d+"), r"/\1/{pos}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """All calls of one kind: how many, and the milliseconds in the server."""

    count: int
    ms: float


def pattern(path: str) -> str:
    """The path with names and numbers replaced by what they are."""
    for found, put in _PATTERNS:
        path = found.sub(put, path)
    return path


def lines(state: Path) -> Iterator[dict[str, Any]]:
    """The lines of the log and of the older files that it was turned into, in any order."""
    for path in state.glob("requests.jsonl*"):
        for line in path.read_text().splitlines():
            if line.endswith("}"):
                yield json.loads(line)


def calls(log: Iterable[dict[str, Any]], start: float, end: float) -> dict[str, Calls]:
    """Calls that began between two times (seconds since 1970), by method and pattern."""
    times: dict[str, list[float]] = defaultdict(list)
    for line in log:
        if start <= line["t"] <= end:
            times[f"{line['method']} {pattern(line['path'])}"].append(line["ms"])
    ordered = sorted(times.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: Calls(count=len(each), ms=sum(each)) for name, each in ordered}
