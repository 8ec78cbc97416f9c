"""What others have done to deployed guests, as far as the list of guests tells it, in event terms.

The list costs one request for a whole site, so it is compared before each run; what only a guest's
configuration tells (networks, disks, cloud-init) is found by `refresh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from event.problems import RunError
from event.stack import Stack
from operate.api import Api
from operate.deployed import Deployed, DeployedGuest, Inputs
from operate.drift_words import value_words
from operate.event_log import short_type
from operate.preflight import few
from operate.survey import MARK, Seen, SeenGuest, with_description


def doubts(state: Deployed, seen: Seen) -> dict[str, list[str]]:
    """URNs of what differs from the state, by what is the matter: guests, and lost groups."""
    found: dict[str, list[str]] = {}
    for guest in state.guests:
        there = seen.guests.get(guest.vmid)
        for word in ("gone",) if there is None else _differences(guest, there):
            found.setdefault(word, []).append(guest.urn)
    for urn in _lost_groups(state, seen):
        found.setdefault("gone", []).append(urn)
    return found


def _lost_groups(state: Deployed, seen: Seen) -> Iterator[str]:
    """Security groups of the state that are not there: the provider fails to delete such a one."""
    names = state.security_groups.keys() - (seen.security_groups or frozenset())
    if seen.security_groups is None or not names:
        return
    for each in state.raw["deployment"].get("resources") or ():
        inputs = each.get("inputs") or {}
        if short_type(each["type"]) == "GroupLegacy" and inputs.get("name") in names:
            yield str(each["urn"])


def _differences(guest: DeployedGuest, there: SeenGuest) -> Iterator[str]:
    """What differs; an attribute that the list does not tell does not."""
    wanted = guest.inputs
    if there.host != guest.host:
        yield "on another host"
    if wanted.get("started") and there.status == "stopped":
        yield "switched off"
    if wanted.get("name") and there.name and there.name != wanted["name"]:
        yield "renamed"
    if set(wanted.get("tags") or ()) - there.tags:
        yield "without our tags"
    if there.cores and there.cores != (_cores(wanted) or there.cores):
        yield "with other cores"
    if there.memory_mib and there.memory_mib != (_memory(wanted) or there.memory_mib):
        yield "with other memory"
    if there.disk_gib and there.disk_gib != (guest.disk_gib or there.disk_gib):
        yield "with another disk size"
    if wanted.get("poolId") and there.pool != wanted["poolId"]:
        yield "not in its pool"


def _cores(inputs: Mapping[str, Any]) -> int:
    cpu = inputs.get("cpu") or {}
    return int(cpu.get("cores") or 0) * int(cpu.get("sockets") or 1)


def _memory(inputs: Mapping[str, Any]) -> int:
    return int((inputs.get("memory") or {}).get("dedicated") or 0)


Stranger = tuple[DeployedGuest, SeenGuest]
"""A guest of the state, and what has its VMID now."""


def strangers(stack: Stack, state: Deployed | None, seen: Seen, api: Api) -> list[Stranger]:
    """Guests on a VMID of the state that do not carry the stack's mark, or not any more."""
    found = []
    for guest in state.guests if state else ():
        there = seen.guests.get(guest.vmid)
        if there is None or {MARK, stack.name} <= there.tags:
            continue
        there = with_description(api, there)
        if not there.is_ours(stack.name):
            found.append((guest, there))
    return found


def stop_if_strangers(stack: Stack, state: Deployed | None, seen: Seen, api: Api) -> None:
    """`RunError` when a VMID of the state has come to somebody else, whose guest must stay."""
    found = strangers(stack, state, seen, api)
    if found:
        raise RunError(strangers_text(stack, found))


def strangers_text(stack: Stack, found: Sequence[Stranger]) -> str:
    """Which guests are not touched, and how to say whose they are."""
    shown = [f"{each.vmid} ({each.name} on {each.host})" for _, each in found]
    first, _ = found[0]
    return (
        f"{stack.path}: {few(shown)}: deployed by {stack.name}, but without its mark now; "
        f"not touched. If it is {first.name}, give it back the tags {MARK};{stack.name}. "
        f"If it is somebody else's, type: ./practicum pulumi -- state delete '{first.urn}' "
        f"--stack {stack.name} --yes --force"
    )


def told(
    guest: DeployedGuest | None,
    there: SeenGuest | None,
    fields: Sequence[str],
    values: tuple[Inputs, Inputs] = ({}, {}),
) -> str:
    """What has become of a resource, from the provider's names of the fields that differ.

    `values` is what the provider had read before the refresh and what it read now.
    """
    tops = dict.fromkeys(field.partition(".")[0].partition("[")[0] for field in fields)
    tops = {top: None for top in tops if top not in _FOLLOWING} or tops
    words = (word for top in tops for word in _told(guest, there, top, values))
    return ", ".join(dict.fromkeys(words))


def _told(
    guest: DeployedGuest | None,
    there: SeenGuest | None,
    field: str,
    values: tuple[Inputs, Inputs],
) -> list[str]:
    if guest is not None and there is not None:
        listed = {
            "nodeName": f"on {there.host} instead of {guest.host}",
            "started": f"is {there.status}",
            "name": f"renamed to {there.name}",
            "cpu": f"{there.cores} cores instead of {_cores(guest.inputs)}",
            "memory": f"{there.memory_mib} MiB instead of {_memory(guest.inputs)}",
        }
        if field in listed:
            return [listed[field]]
    return value_words(field, *values) or [_WORDS.get(field, field)]


_FOLLOWING = frozenset({"ipv4Addresses", "ipv6Addresses", "networkInterfaceNames", "macAddresses"})
"""What the provider reads from a guest's agent: it follows from other fields."""

_WORDS = {
    "tags": "other tags",
    "description": "another description",
    "poolId": "in another pool",
    "disks": "another disk",
    "networkDevices": "another network",
    "initialization": "another login or address",
    "rules": "other firewall rules",
    "comment": "another comment",
    "members": "other members",
    "privileges": "other rights",
}
