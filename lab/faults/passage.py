"""Where a call passes: hosts that do not answer, a cluster that cannot write.

Asked by the HTTP front between rights and handler; a lab without faults pays one look at a list.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lab.errors import ApiError, Body, failure, unreachable
from lab.faults import quorum

if TYPE_CHECKING:
    from lab.app import Lab

_NO_FILE_SYSTEM = (
    "RPCEnvironment init request failed: Unable to load access control list: Connection refused"
)


async def enter(lab: Lab) -> None:
    """500 without a body while the cluster's file system is down: slowly at first, then less."""
    rule = lab.faults.state("filesystem-down")
    if rule is None:
        return
    limits = lab.limits
    rule.fired += 1
    first = rule.fired == 1
    await limits.pass_time(limits.filesystem_first_s if first else limits.filesystem_next_s)
    raise ApiError(500, _NO_FILE_SYSTEM, body=Body.EMPTY)


async def reach_host(lab: Lab, host: str, *, protected: bool) -> None:
    """595 for a host that is not there, or whose service that does such calls is down.

    The first call to a lost host waits until the connection is given up, later ones until the
    network says that there is no such neighbour.
    """
    if rule := lab.faults.state("host-offline", host=host):
        limits = lab.limits
        rule.fired += 1
        if rule.fired == 1:
            await limits.pass_time(limits.silent_first_s)
            raise unreachable("Connection timed out")
        await limits.pass_time(limits.silent_next_s)
        raise unreachable("No route to host")
    if protected and (rule := lab.faults.state("service-down", host=host)):
        rule.fired += 1
        raise unreachable("Connection refused")


class Travellers:
    """The calls that are with other hosts just now, and what becomes of them when one is lost."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._away: dict[str, set[asyncio.Task[Any]]] = {}
        self._cut: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def passed_on(self, host: str) -> AsyncIterator[None]:
        """A call that a host works on; 596 when the host is lost before it has answered."""
        task = asyncio.current_task()
        if task is None or host == self._lab.local:
            yield
            return
        away = self._away.setdefault(host, set())
        away.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._cut:
                raise
            self._cut.discard(task)
            task.uncancel()
            await self._lab.limits.pass_time(self._lab.limits.silent_first_s)
            raise ApiError(596, "Connection timed out", body=Body.EMPTY) from None
        finally:
            away.discard(task)

    def lose(self, host: str) -> None:
        """Nothing more comes back from a host."""
        for task in self._away.get(host, ()):
            self._cut.add(task)
            task.cancel()


async def write_to_cluster(lab: Lab, method: str, path: str, params: dict[str, Any]) -> None:
    """500 for what cannot be written: no quorum, or the lock of a cluster's file is held."""
    if method == "GET":
        return
    if not lab.faults.quorate:
        await _without_quorum(lab, method, path, params)
    lock = quorum.cluster_lock(method, path)
    if lock is not None and (rule := lab.faults.held_file(lock[0])):
        rule.fired += 1
        await lab.limits.pass_time(lab.limits.lock_wait_s)
        raise failure(f"{lock[1]}cfs-lock '{lock[0]}' error: got lock request timeout")


async def _without_quorum(lab: Lab, method: str, path: str, params: dict[str, Any]) -> None:
    refusal = quorum.refused(method, path)
    vmid = params.get("vmid")
    if refusal is None or (vmid is not None and _is_missing(lab, path, str(vmid))):
        return
    if rule := lab.faults.state("no-quorum"):
        rule.fired += 1
    if refusal.waits:
        await lab.limits.pass_time(lab.limits.quorum_wait_s)
    raise failure(refusal.text)


def _is_missing(lab: Lab, path: str, vmid: str) -> bool:
    """Whether a call is about a guest that is not there, which is found out first."""
    parts = path.strip("/").split("/")
    if len(parts) < 4 or parts[0] != "nodes":
        return False
    row = lab.store.get(parts[2], vmid)
    return row is None or row["node"] != parts[1]
