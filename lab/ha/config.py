"""The HA files in the store: resources and rules, and what other areas ask of them.

A row of kind `ha-resource` is keyed by its service id (`vm:100`), one of kind `ha-rule` by its
name. Rows of `ha-status` are the manager's: `node`, `state` and how often a start `failed`; rows
of `ha-command` are requests that it has not taken up yet.
"""

from __future__ import annotations

import re
from typing import Any

from lab.errors import failure
from lab.formats import named_format, split_list
from lab.section_file import Section, section_type
from lab.store import Store

RESOURCE = "ha-resource"
RULE = "ha-rule"
STATUS = "ha-status"
COMMAND = "ha-command"
MODE = "ha-mode"
DISARMED = "disarm"
RESOURCE_TYPE = section_type("", "state group comment failback max_restart max_relocate")
RULE_TYPES = {
    "node-affinity": section_type("resources nodes", "strict disable comment"),
    "resource-affinity": section_type("resources affinity", "disable comment"),
}
# Kind of service -> kind of guest, and how it is called in texts.
GUESTS = {"vm": ("qemu", "VM"), "ct": ("lxc", "container")}
DEFAULTS: Section = {"state": "started", "failback": 1, "max_restart": 1, "max_relocate": 1}
_ALIASES = {"enabled": "started"}
_SID = re.compile(r"[a-z]+:\S+")
_NODE = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(:\d+)?", re.ASCII)
_VMID = re.compile(r"[1-9][0-9]+", re.ASCII)


@named_format("pve-ha-resource-id")
def _resource_id(text: str) -> None:
    if not _SID.fullmatch(text):
        raise ValueError("value does not look like a valid ha resource id")


@named_format("pve-ha-resource-or-vm-id")
def _resource_or_vm_id(text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        _resource_id(text)


@named_format("pve-ha-node")
def _ha_node(text: str) -> None:
    if not _NODE.fullmatch(text):
        raise ValueError("value does not look like a valid ha node")


def parse_sid(store: Store, text: str) -> str:
    """The service id of a text that may be a mere VMID."""
    if not text.isdigit():
        return text
    for kind, (guests, _) in GUESTS.items():
        if store.get(guests, text) is not None:
            return f"{kind}:{text}"
    raise failure(f"unable to detect SID from VMID - VM/CT {text} does not exist")


def check_guest(store: Store, sid: str) -> None:
    """500 for a kind of service that is not known, or a guest that is not there or is another."""
    kind, _, name = sid.partition(":")
    if kind not in GUESTS:
        raise failure(f"unknown section type '{kind}'")
    if not _VMID.fullmatch(name):
        raise failure("invalid VMID")
    guests, noun = GUESTS[kind]
    if store.get(guests, name) is not None:
        return
    if any(store.get(other, name) is not None for other, _ in GUESTS.values()):
        raise failure(f"resource '{sid}' - guest with ID {name} is not a {noun}")
    raise failure(f"resource '{sid}' does not exist in cluster")


def guest_of(store: Store, sid: str) -> tuple[str, str, Section] | None:
    """Kind, VMID and row of the guest behind a service, or None when it is gone."""
    kind, _, name = sid.partition(":")
    guests = GUESTS[kind][0]
    row = store.get(guests, name)
    return None if row is None else (guests, name, row)


def sid_of(store: Store, vmid: int | str) -> str | None:
    """The service id of a guest that is configured as one."""
    found = (f"{kind}:{vmid}" for kind in GUESTS)
    return next((sid for sid in found if store.get(RESOURCE, sid) is not None), None)


def disarmed(store: Store) -> str | None:
    """How services are treated while the manager rests (`freeze`, `ignore`); None while it does
    not."""
    row = store.get(MODE, DISARMED)
    return str(row["mode"]) if row else None


def is_managed(store: Store, sid: str | None) -> bool:
    """Whether the manager decides about a service: those to be ignored are left alone."""
    if disarmed(store) == "ignore":
        return False
    row = store.get(RESOURCE, sid) if sid else None
    return row is not None and row.get("state") != "ignored"


def wanted(row: Section) -> Section:
    """A resource with everything that it does not say filled in."""
    found = {**DEFAULTS, **row}
    found["state"] = _ALIASES.get(found["state"], found["state"])
    return found


def guest_status(store: Store, vmid: int | str) -> dict[str, Any]:
    """What a guest's status tells about its being watched."""
    sid = sid_of(store, vmid)
    if sid is None or not is_managed(store, sid):
        return {"managed": 0}
    state = (store.get(STATUS, sid) or {}).get("state")
    return {"managed": 1} | ({"state": state} if state else {})


def state_of(store: Store, kind: str, vmid: int | str) -> str | None:
    """The `hastate` of a guest in lists: the manager's view, else what is asked for."""
    service = "vm" if kind == "qemu" else "ct"
    for rows in (STATUS, RESOURCE):
        found = store.get(rows, f"{service}:{vmid}")
        if found is not None:
            state: str | None = found.get("state")
            return state
    return None


def check_removable(store: Store, vmid: int | str, noun: str) -> None:
    """500 when a guest is watched or replicated, which only a purge takes along."""
    if sid_of(store, vmid) is not None:
        text = "used in HA resources and purge parameter not set."
        raise failure(f"unable to remove {noun} {vmid} - {text}")
    for name, job in store.items("replication"):
        if str(job["guest"]) == str(vmid):
            raise failure(
                f"There is a replication job '{name}' for guest '{vmid}' - Please remove that "
                "first."
            )


def forget(store: Store, sid: str, *, rules: bool = True) -> None:
    """Drop a service; with `rules` also its place in them, and rules that are empty then."""
    store.delete(RESOURCE, sid)
    if not rules:
        return
    for name, rule in store.items(RULE):
        members = split_list(rule["resources"])
        rest = [member for member in members if member != sid]
        if not rest:
            store.delete(RULE, name)
        elif rest != members:
            store.put(RULE, name, {**rule, "resources": ",".join(rest)})


def forget_guest(store: Store, vmid: int | str) -> None:
    """What a purge takes along: the guest's service with its rules, and its replication."""
    if sid := sid_of(store, vmid):
        forget(store, sid)
    for name, job in store.items("replication"):
        if str(job["guest"]) == str(vmid):
            store.delete("replication", name)


def queue(store: Store, command: Section) -> None:
    """File a request with the manager."""
    last = max((int(key) for key, _ in store.items(COMMAND)), default=0)
    store.put(COMMAND, str(last + 1), command)
