"""The HA manager: brings watched guests into the state and onto the host they are to have.

It works in rounds, as the real one does, and sleeps when everything is as asked for. Each round
takes up the requests, then looks at every service. It acts through the API's own handlers, as
root@pam, so that its starts, stops and migrations are tasks like all others. A guest that does not
start is tried again `max_restart` times, then moved on up to `max_relocate` times, and is in
`error` after that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lab.acting import act_on_guest, went_well
from lab.errors import ApiError
from lab.formats import split_list
from lab.ha.config import COMMAND, RESOURCE, RULE, STATUS, disarmed, guest_of, wanted
from lab.ha.feasibility import faults, priorities
from lab.ha.requests import ACTING
from lab.section_file import Section

if TYPE_CHECKING:
    from lab.app import Lab

USER = "root@pam"
_SHUTDOWN_S = 60
_log = logging.getLogger(__name__)


class Manager:
    """The manager of one cluster; `wake` it whenever something about services has changed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._rounds: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Go on with rounds until everything is as asked for."""
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._work(), name="ha manager")

    async def close(self) -> None:
        """Stop."""
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)

    async def _work(self) -> None:
        ACTING.set(True)
        unsettled = True
        while unsettled:
            await asyncio.sleep(self._lab.settings.ha_round_s)
            try:
                unsettled = await self.round()
            except Exception:
                _log.exception("round of the HA manager")
                unsettled = False
            await self._lab.store.flush()

    async def round(self) -> bool:
        """Take up requests and look at all services, unless all of it rests; whether another
        round is needed."""
        if disarmed(self._lab.store) is not None:
            return False
        store, before = self._lab.store, self._lab.store.generation_of(RESOURCE, STATUS, COMMAND)
        requests = self._take_requests()
        for sid, _ in store.items(STATUS):
            row = store.get(RESOURCE, sid)
            if row is None or row.get("state") == "ignored" or guest_of(store, sid) is None:
                store.delete(STATUS, sid)
        for sid, row in store.items(RESOURCE):
            if row.get("state") != "ignored" and guest_of(store, sid) is not None:
                await self._tend(sid, wanted(row), requests.get(sid, []))
        return before != store.generation_of(RESOURCE, STATUS, COMMAND)

    def _take_requests(self) -> dict[str, list[Section]]:
        found: dict[str, list[Section]] = {}
        for key, command in self._lab.store.items(COMMAND):
            self._lab.store.delete(COMMAND, key)
            found.setdefault(command["sid"], []).append(command)
        return found

    async def _tend(self, sid: str, service: Section, requests: list[Section]) -> None:
        store = self._lab.store
        status = store.get(STATUS, sid) or {"state": "queued", "failed": 0}
        if status["state"] == "error" and service["state"] != "disabled":
            return
        for request in requests:
            if request["command"] in ("migrate", "relocate"):
                await self._move(sid, request["node"], restart=request["command"] == "relocate")
        if (target := self._better_host(sid, service)) is not None:
            await self._move(sid, target)
        timeout = next((r["timeout"] for r in requests if r["command"] == "stop"), _SHUTDOWN_S)
        failed = await self._power(sid, service, status["failed"], timeout)
        found = guest_of(store, sid)
        if found is None:
            return
        running = found[2]["status"] == "running"
        state = "started" if running else "stopped"
        if failed > service["max_restart"] + service["max_relocate"]:
            state = "error"
        row = {"node": found[2]["node"], "state": state, "failed": failed}
        if row != store.get(STATUS, sid):
            store.put(STATUS, sid, row)

    async def _power(self, sid: str, service: Section, failed: int, timeout_s: int) -> int:
        """Start or stop the guest; how often its start has failed in a row."""
        found = guest_of(self._lab.store, sid)
        running = found is not None and found[2]["status"] == "running"
        if service["state"] != "started":
            if running and timeout_s:
                params = {"timeout": timeout_s, "forceStop": 1}
                await self._call(sid, "status/shutdown", params)
            elif running:
                await self._call(sid, "status/stop")
            return 0
        if running or await self._call(sid, "status/start"):
            return 0
        if failed >= service["max_restart"] and (target := self._other_host(sid)) is not None:
            await self._move(sid, target)
        return failed + 1

    async def _move(self, sid: str, target: str, *, restart: bool = False) -> None:
        store = self._lab.store
        found = guest_of(store, sid)
        if found is None or store.get("node", target) is None or found[2]["node"] == target:
            return
        kind, running = found[0], found[2]["status"] == "running"
        if running and restart:
            await self._call(sid, "status/shutdown", {"timeout": _SHUTDOWN_S, "forceStop": 1})
            running = False
        live = "online" if kind == "qemu" else "restart"
        await self._call(sid, "migrate", {"target": target, **({live: 1} if running else {})})

    def _places(self, sid: str) -> tuple[dict[str, int], bool] | None:
        """Hosts with priorities of the rule about where a service runs, and whether it may run
        only there; rules that cannot be kept do not count."""
        rules = dict(self._lab.store.items(RULE))
        wrong = faults(rules, [node["name"] for node in self._lab.nodes()])
        for name, rule in rules.items():
            if name in wrong or "disable" in rule or rule["type"] != "node-affinity":
                continue
            if sid in split_list(rule["resources"]):
                return priorities(rule["nodes"]), bool(rule.get("strict"))
        return None

    def _better_host(self, sid: str, service: Section) -> str | None:
        """Where a service has to go, or goes back to when it may."""
        places, found = self._places(sid), guest_of(self._lab.store, sid)
        if places is None or found is None:
            return None
        nodes, strict = places
        here = found[2]["node"]
        best = [node for node in sorted(nodes) if nodes[node] == max(nodes.values())]
        must = strict and here not in nodes
        return best[0] if here not in best and (must or service["failback"]) else None

    def _other_host(self, sid: str) -> str | None:
        """The next host a service may run on."""
        found, places = guest_of(self._lab.store, sid), self._places(sid)
        names = [node["name"] for node in self._lab.nodes()]
        if found is None:
            return None
        if places is not None and places[1]:
            names = [name for name in names if name in places[0]]
        names = [name for name in names if name != found[2]["node"]]
        return names[0] if names else None

    async def _call(self, sid: str, action: str, params: dict[str, Any] | None = None) -> bool:
        """Do something to a guest through the API; whether its task ended well."""
        found = guest_of(self._lab.store, sid)
        if found is None:
            return False
        kind, vmid, row = found
        place = (row["node"], kind, int(vmid))
        try:
            return went_well(await act_on_guest(self._lab, USER, place, action, **(params or {})))
        except ApiError as error:
            _log.info("%s of %s: %s", action, sid, error.message)
            return False
