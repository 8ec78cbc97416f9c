"""Objects that a cut-off run had begun to make: found by id and our mark, and deleted.

Only kinds that cannot be made a second time are looked for. The others need nothing: access entries
and options are written over by the next run, and a file that was fetched completely is taken as it
is, because its checksum is asked for. Nothing without our mark is ever touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from event.problems import RunError
from operate.api import Api, ApiError
from operate.deployed import Broken, Deployed, Inputs, Pending
from operate.event_log import GUEST_TYPES
from operate.kinds import carries_mark
from operate.survey import MARK, Seen, SeenGuest, with_description

TASK_S = 120.0
POLL_S = 0.2
GROUPS = "/cluster/firewall/groups"
ROLES = "/access/roles/"
OF_GUESTS = ("RulesLegacy", "IpsetLegacy")
"""What lies in a guest's firewall: ours if the guest is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A half-made object of ours at the API. `guest` is set for a virtual machine."""

    name: str
    type: str
    path: str
    guest: SeenGuest | None = None


def find_leftover(
    pending: Pending, state: Deployed, seen: Seen, stack: str, api: Api
) -> Leftover | None:
    """The object behind an unfinished creation, if it is there and carries our mark."""
    if pending.operation != "creating":
        return None
    if pending.type in GUEST_TYPES:
        return _guest(pending, state, seen, stack, api)
    return find_object(pending.name, pending.type, pending.inputs, seen, stack, api)


def find_object(
    name: str, kind: str, inputs: Inputs, seen: Seen, stack: str, api: Api
) -> Leftover | None:
    """An object other than a guest, if it is there and carries our mark."""
    path = _path(kind, inputs)
    if not path:
        return None
    if kind in OF_GUESTS:
        guest = seen.guests.get(int(inputs.get("vmId") or 0))
        ours = guest is not None and with_description(api, guest).is_ours(stack)
        there = _read(api, path) if ours else None
        # A guest always has a list of rules; an IP set without members is there all the same.
        begun = there is not None if kind == "IpsetLegacy" else there
        return Leftover(name=name, type=kind, path=path) if begun else None
    if not _is_ours(_comment(api, path), path, stack):
        return None
    return Leftover(name=name, type=kind, path=path)


def _guest(pending: Pending, state: Deployed, seen: Seen, stack: str, api: Api) -> Leftover | None:
    vmid = int(pending.inputs.get("vmId") or 0)
    found = seen.guests.get(vmid)
    if found is None or vmid in state.vmids:
        return None
    guest = with_description(api, found)
    if not guest.is_ours(stack):
        return None  # preflight has refused it already
    path = f"/nodes/{guest.host}/qemu/{vmid}"
    return Leftover(name=pending.name, type=pending.type, path=path, guest=guest)


def find_unfinished(broken: Broken, seen: Seen, stack: str, api: Api) -> Leftover | None:
    """The guest behind a creation that failed halfway, if it is ours, off and was never complete.

    A later change that failed leaves a guest with somebody's work in it, which stays.
    """
    found = seen.guests.get(broken.vmid)
    if broken.type not in GUEST_TYPES or not broken.unfinished or found is None:
        return None
    if found.running or found.template:
        return None
    guest = with_description(api, found)
    if not guest.is_ours(stack):
        return None
    path = f"/nodes/{guest.host}/qemu/{guest.vmid}"
    return Leftover(name=broken.name, type=broken.type, path=path, guest=guest)


_PLACES: dict[str, Callable[[Inputs], str]] = {
    "PoolLegacy": lambda inputs: f"/pools/{inputs.get('poolId')}",
    "RoleLegacy": lambda inputs: f"/access/roles/{inputs.get('roleId')}",
    "GroupLegacy": lambda inputs: (
        f"/access/groups/{inputs['groupId']}"
        if inputs.get("groupId")
        else f"{GROUPS}/{inputs.get('name')}"
    ),
    "UserLegacy": lambda inputs: f"/access/users/{inputs.get('userId')}",
    "Token": lambda inputs: f"/access/users/{inputs.get('userId')}/token/{inputs.get('tokenName')}",
    "Job": lambda inputs: f"/cluster/backup/{inputs.get('resourceId')}",
    "Bridge": lambda inputs: f"/nodes/{inputs.get('nodeName')}/network/{inputs.get('name')}",
    "RulesLegacy": lambda inputs: (
        f"/nodes/{inputs.get('nodeName')}/qemu/{inputs.get('vmId')}/firewall/rules"
    ),
    "IpsetLegacy": lambda inputs: (
        f"/nodes/{inputs.get('nodeName')}/qemu/{inputs.get('vmId')}/firewall/ipset/"
        f"{inputs.get('name')}"
    ),
}
"""Where an object is, by its type and inputs."""


def _path(kind: str, inputs: Inputs) -> str:
    """Where an object is at the API; empty for kinds that are not looked for."""
    found = _PLACES.get(kind)
    return found(inputs) if found else ""


def place(kind: str, inputs: Inputs) -> str:
    """What tells an object from all others: its path, for a guest's firewall without the host."""
    path = _path(kind, inputs)
    return path.partition("/qemu/")[2] if kind in OF_GUESTS else path


def _read(api: Api, path: str) -> Any:
    """What is at a path; None when nothing is, or nothing that this token may see."""
    try:
        return api.get(path)
    except ApiError as failure:
        if failure.kind in ("answer", "forbidden"):
            return None
        raise


def _comment(api: Api, path: str) -> str | None:
    """The comment of an object; empty for kinds without one, None when it is not there."""
    if path.startswith(f"{GROUPS}/"):
        name = path.rpartition("/")[2]
        rows = [row for row in _read(api, GROUPS) or () if row.get("group") == name]
        return str(rows[0].get("comment") or "") if rows else None
    found = _read(api, path)
    if not isinstance(found, dict):
        return None
    fields = ("comment", "comments", "notes-template")
    return next((str(found[each]) for each in fields if found.get(each)), "")


def _is_ours(comment: str | None, path: str, stack: str) -> bool:
    """By the mark in the comment; a role, which has none, by a name that only we give."""
    if comment is None:
        return False
    if path.startswith(ROLES):
        return path.removeprefix(ROLES).startswith(f"{MARK}-{stack}-")
    return carries_mark(comment, stack)


def delete(leftover: Leftover, api: Api) -> None:
    """Delete a half-made object of ours. Raises `RunError` when the API refuses."""
    try:
        if leftover.guest is not None:
            _wait(api, api.post(f"{leftover.path}/status/stop"))
            _wait(api, api.delete(leftover.path, purge="1"))
        elif leftover.type == "RulesLegacy":
            _delete_rules(api, leftover.path)
        elif leftover.type == "IpsetLegacy":
            for member in api.get(leftover.path):
                api.delete(f"{leftover.path}/{member['cidr']}")
            api.delete(leftover.path)
        elif leftover.path.startswith(f"{GROUPS}/"):
            _delete_rules(api, leftover.path)
            api.delete(leftover.path)
        elif leftover.type == "Bridge":
            api.delete(leftover.path)
            _wait(api, api.put(leftover.path.rpartition("/")[0]))
        else:
            api.delete(leftover.path)
    except ApiError as failure:
        raise RunError(
            f"{leftover.name} is half-made and cannot be deleted ({failure.text}); "
            f"delete {leftover.path} by hand and type the same again"
        ) from None


def _delete_rules(api: Api, path: str) -> None:
    """Delete firewall rules one by one: each time the first, since the others move up."""
    for _ in api.get(path):
        api.delete(f"{path}/0")


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
