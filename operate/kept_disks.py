"""Which disks others have made larger, by the state and the list of guests."""

from __future__ import annotations

from collections.abc import Mapping

from operate.deployed import Deployed, DeployedGuest
from operate.preflight import few
from operate.survey import Seen
from plan.kept_disks import OTHERS
from plan.records import EventPlan, Guest

OUTPUT = "disksGib"
"""Stack output with the sizes that were written when the event was last built."""


def kept_disks(state: Deployed | None, plan: EventPlan, seen: Seen | None = None) -> dict[str, int]:
    """Sizes in GiB of disks that are to stay larger than planned, by guest.

    Without `seen` as the state knows them. A guest that is made anew gets its planned disk.
    """
    written = state.outputs.get(OUTPUT) if state else None
    if state is None or not isinstance(written, Mapping):
        return {}
    deployed = {guest.name: guest for guest in state.guests}
    kept = {}
    for guest in plan.guests:
        found = deployed.get(guest.name)
        if found is None or _made_anew(found, guest):
            continue
        size = found.disk_gib
        if seen is not None:
            there = seen.guests.get(guest.vmid)
            size = (there.disk_gib or size) if there else 0
        was = int(written.get(guest.name) or written.get(OTHERS) or 0)
        if was and size > max(was, guest.disk_gib):
            kept[guest.name] = size
    return kept


def kept_line(kept: Mapping[str, int], plan: EventPlan) -> str:
    """What is kept, for people."""
    planned = {guest.name: guest.disk_gib for guest in plan.guests}
    names = [f"{name} ({size} GiB instead of {planned[name]})" for name, size in kept.items()]
    return f"disks that others have made larger stay so: {few(names)}"


def _made_anew(found: DeployedGuest, planned: Guest) -> bool:
    clone = found.inputs.get("clone") or {}
    full = bool(clone.get("full", True))
    same = (found.vmid, int(clone.get("vmId") or 0), full)
    return same != (planned.vmid, planned.template.vmid, planned.clone == "full")
