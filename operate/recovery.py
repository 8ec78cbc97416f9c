"""After a run that was cut off: what it left half-made is cleared before the next one.

The engine notes each operation before it starts. One that was cut off stays noted, and nobody
knows whether the object is there; making it again would fail. So each noted object is looked up by
its id and our mark: half-made guests and groups of ours are deleted, then the notes are dropped.
Resources whose last operation failed halfway, and guests that are gone or elsewhere, are read
again before the run, since the state is wrong about them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from event.problems import RunError
from operate.api import Api, ApiError
from operate.deployed import Deployed, Inputs, Pending
from operate.event_log import GUEST_TYPES
from operate.preflight import few
from operate.progress import Tally
from operate.run import engine_run
from operate.session import Session
from operate.survey import MARK, Seen, SeenGuest, with_description

TASK_S = 120.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An object that a cut-off run had begun to make, found at the API."""

    name: str
    path: str
    guest: SeenGuest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What has to be done before a run; nothing, mostly."""

    leftovers: tuple[Leftover, ...] = ()
    notes: int = 0  # unfinished operations that the state has noted
    stale: tuple[str, ...] = ()  # URNs of resources that the state is wrong about
    lost: bool = False  # the event's pool is gone: the state may be wrong about everything
    lines: tuple[str, ...] = field(default=())

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.notes or self.stale or self.lost)


def begun_vmids(state: Deployed | None) -> frozenset[int]:
    """VMIDs of guests that a cut-off run had begun to make."""
    if state is None:
        return frozenset()
    return frozenset(
        int(each.inputs.get("vmId") or 0) for each in state.pending if each.type in GUEST_TYPES
    )


def plan_repair(state: Deployed | None, seen: Seen, stack: str, api: Api) -> Repair:
    """Look up what is half-made and what the state is wrong about. Changes nothing."""
    if state is None:
        return Repair()
    found = (_leftover(each, state, seen, stack, api) for each in state.pending)
    leftovers = tuple(each for each in found if each)
    made = {each.urn for each in state.pending if each.operation == "creating"}
    gone = [guest for guest in state.guests if guest.vmid not in seen.guests]
    moved = [
        guest
        for guest in state.guests
        if guest.vmid in seen.guests and seen.guests[guest.vmid].host != guest.host
    ]
    broken = [guest for guest in state.guests if guest.broken]
    touched = [each.urn for each in state.pending if each.urn not in made]
    lines = []
    if state.pending:
        lines.append(f"the last run was cut off with {few([each.name for each in state.pending])} "
                     "in work")  # fmt: skip
    if leftovers:
        lines.append(f"half-made, deleted and made again: {few([each.name for each in leftovers])}")
    for word, guests in (("gone", gone), ("on another host", moved), ("half-changed", broken)):
        if guests:
            lines.append(f"{word} at the site: {few([guest.name for guest in guests])}")
    lost = bool(state.pools - seen.pools)
    if lost:
        lines.append("the event's pool is gone at the site: everything of it is looked at again")
    stale = dict.fromkeys([*touched, *(guest.urn for guest in [*gone, *moved, *broken])])
    return Repair(
        leftovers=leftovers,
        notes=len(state.pending),
        stale=tuple(stale),
        lost=lost,
        lines=tuple(lines),
    )


def carry_out(session: Session, repair: Repair, state: Deployed, api: Api) -> None:
    """Delete the leftovers, drop the notes, and read again what the state is wrong about."""
    for leftover in repair.leftovers:
        _delete(leftover, api)
    if repair.notes:
        export = json.loads(json.dumps(state.raw))
        export["deployment"]["pending_operations"] = []
        session.engine.told(
            "stack", "import", "--stack", session.stack.name, stdin=json.dumps(export)
        )
    if repair.stale or repair.lost:
        options = ["--yes", "--skip-preview"]
        for urn in () if repair.lost else repair.stale:
            options += ["--target", urn]
        outcome = engine_run(session, "refresh", options, "reading what others changed", Tally())
        outcome.stop_if_failed()


def _leftover(
    pending: Pending, state: Deployed, seen: Seen, stack: str, api: Api
) -> Leftover | None:
    """The object behind an unfinished creation, if it is there and carries our mark."""
    if pending.operation != "creating":
        return None
    if pending.type in GUEST_TYPES:
        vmid = int(pending.inputs.get("vmId") or 0)
        guest = seen.guests.get(vmid)
        if guest is None or vmid in state.vmids:
            return None
        guest = with_description(api, guest)
        if not guest.is_ours(stack):
            return None  # preflight has refused it already
        path = f"/nodes/{guest.host}/qemu/{vmid}"
        return Leftover(name=pending.name, path=path, guest=guest)
    place = _PLACES.get(pending.type)
    path = place(pending.inputs) if place else ""
    if not path:
        return None
    try:
        found = api.get(path)
    except ApiError as failure:
        if failure.kind == "answer":
            return None  # it is not there: the creation did not come so far
        raise
    return Leftover(name=pending.name, path=path) if _is_marked(found, path, stack) else None


def _is_marked(found: Any, path: str, stack: str) -> bool:
    """Whether an object is ours: by the mark in its comment, or by its name."""
    comment = str(found.get("comment") or "") if isinstance(found, dict) else ""
    name = path.rpartition("/")[2]
    return comment.startswith(f"{MARK}:{stack}:") or name.startswith((f"{MARK}-{stack}", stack))


def _firewall_rules(inputs: Inputs) -> str:
    return f"/nodes/{inputs.get('nodeName')}/qemu/{inputs.get('vmId')}/firewall/rules"


_PLACES: dict[str, Callable[[Inputs], str]] = {
    "PoolLegacy": lambda inputs: f"/pools/{_part(inputs, 'poolId')}",
    "RoleLegacy": lambda inputs: f"/access/roles/{_part(inputs, 'roleId')}",
    "GroupLegacy": lambda inputs: (
        f"/access/groups/{_part(inputs, 'groupId')}"
        if inputs.get("groupId")
        else f"/cluster/firewall/groups/{_part(inputs, 'name')}"
    ),
    "UserLegacy": lambda inputs: f"/access/users/{_part(inputs, 'userId')}",
    "Job": lambda inputs: f"/cluster/backup/{_part(inputs, 'resourceId')}",
}
"""Where an object is, by type and inputs; these cannot be made when they are there already."""


def _part(inputs: Inputs, key: str) -> str:
    return str(inputs.get(key) or "")


def _delete(leftover: Leftover, api: Api) -> None:
    """Delete a half-made object of ours; a guest is stopped before."""
    try:
        if leftover.guest is not None:
            _wait(api, api.post(f"{leftover.path}/status/stop"))
            _wait(api, api.delete(f"{leftover.path}", purge="1"))
            return
        if leftover.path.startswith("/cluster/firewall/groups/"):
            for _ in api.get(leftover.path):
                api.delete(f"{leftover.path}/0")
        api.delete(leftover.path)
    except ApiError as failure:
        raise RunError(
            f"{leftover.name} is half-made and cannot be deleted ({failure.text}); "
            f"delete {leftover.path} by hand and type the same again"
        ) from None


def _wait(api: Api, upid: object) -> None:
    """Wait for a task of Proxmox VE to end."""
    parts = str(upid).split(":")
    if len(parts) < 3 or parts[0] != "UPID":
        return
    end = time.monotonic() + TASK_S
    while time.monotonic() < end:
        status = api.get(f"/nodes/{parts[1]}/tasks/{upid}/status")
        if status.get("status") != "running":
            return
        time.sleep(POLL_S)
    raise RunError(f"the task {upid} does not end; see the task log of {parts[1]}")
