"""Ceph, which no host of the lab has installed: what is asked about it says so."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import failure
from lab.routes import add_handler

_CLUSTER = ("flags", "metadata", "status")
_HOST = (
    *("cfg/db", "cfg/raw", "crush", "fs", "log", "mds", "mgr", "mon", "osd", "pool", "rules"),
    "status",
)


async def _absent(_call: Call) -> Any:
    raise failure("binary not installed: /usr/bin/ceph-mon")


for _name in _CLUSTER:
    add_handler("GET", f"/cluster/ceph/{_name}", _absent)
for _name in _HOST:
    add_handler("GET", f"/nodes/{{node}}/ceph/{_name}", _absent)
