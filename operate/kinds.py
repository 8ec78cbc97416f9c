"""Every kind of object that practicum makes: where the API lists it, and what tells ours.

Our mark is a text that starts with `practicum:<stack>:`, in a description or comment; guests have
tags as well. What carries no text is ours when it says exactly what the plan says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from operate.deployed import Inputs
from operate.survey import MARK, SeenGuest

Whose = Literal["ours", "theirs"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object: where the API lists it, what names it, and what carries our mark.

    `listing` is filled with the inputs that place it. `mark` names the field with our mark; a kind
    without one is ours when its row says what the plan says (`alike`), or never.
    """

    type: str  # short type of the resource
    called: str
    listing: str
    key: str  # field of a row that names the object
    given: tuple[str, ...]  # inputs that name it; the last one is its id
    mark: str = ""
    alike: str = ""  # field of a row that must hold the input of the same list, comma-separated


KINDS = (
    Kind(type="PoolLegacy", called="pool", listing="/pools", key="poolid", given=("poolId",),
         mark="comment"),
    Kind(type="GroupLegacy", called="group", listing="/access/groups", key="groupid",
         given=("groupId",), mark="comment"),
    Kind(type="RoleLegacy", called="role", listing="/access/roles", key="roleid",
         given=("roleId",), alike="privs"),
    Kind(type="GroupLegacy", called="security group", listing="/cluster/firewall/groups",
         key="group", given=("name",), mark="comment"),
    Kind(type="Bridge", called="network interface", listing="/nodes/{nodeName}/network",
         key="iface", given=("nodeName", "name"), mark="comments"),
    Kind(type="UserLegacy", called="user", listing="/access/users", key="userid",
         given=("userId",), mark="comment"),
    Kind(type="Job", called="backup job", listing="/cluster/backup", key="id",
         given=("resourceId",), mark="notes-template"),
    Kind(type="File", called="file", listing="/nodes/{nodeName}/storage/{datastoreId}/content",
         key="volid", given=("nodeName", "datastoreId", "fileName")),
    Kind(type="FileLegacy", called="uploaded file",
         listing="/nodes/{nodeName}/storage/{datastoreId}/content", key="volid",
         given=("nodeName", "datastoreId", "fileName")),
)  # fmt: skip
"""Guests and templates are looked for in the list of guests, which preflight has."""

FILES = ("File", "FileLegacy")
"""Kinds that carry no mark."""

SETTINGS = ("FirewallLegacy", "Firewall")
"""Settings that are there before practicum: cluster and hosts, looked at by `_settings`."""

FOLLOWING = ("Acl", "RulesLegacy", "IpsetLegacy", "OptionsLegacy", "Token")
"""What cannot be there without an object above: entries of a group or user, a user's API token, a
guest's firewall."""


def whose_object(stack: str, kind: Kind, inputs: Inputs, row: Row) -> Whose:
    """Whose an object is, by its mark; a role by its privileges, since it has no comment."""
    if kind.mark:
        return "ours" if carries_mark(str(row.get(kind.mark) or ""), stack) else "theirs"
    if not kind.alike:
        return "theirs"
    wanted = {str(each) for each in inputs.get("privileges") or ()}
    there = {each for each in str(row.get(kind.alike) or "").split(",") if each}
    return "ours" if wanted == there else "theirs"


def carries_mark(text: str, stack: str) -> bool:
    """Whether a comment or description starts with a stack's mark."""
    return re.match(rf"{MARK}:{re.escape(stack)}[: ]", text) is not None


def described_guest(guest: SeenGuest) -> str:
    """What a guest is and whose, for people: `a container without our mark`."""
    kind = "a container" if guest.kind == "lxc" else "a virtual machine"
    if guest.template:
        kind = "a template of a container" if guest.kind == "lxc" else "a template"
    if found := re.match(rf"{MARK}:([^: ]+)", guest.description):
        return f"{kind} of the stack {found[1]}"
    if MARK in guest.tags:
        return f"{kind} with the tags {';'.join(sorted(guest.tags))}"
    return f"{kind} without our mark"


def marked(text: str) -> str:
    """Whose a comment says that an object is."""
    if found := re.match(rf"{MARK}:([^: ]+)", text):
        return f"made by the stack {found[1]}"
    return f'without our mark ("{text[:40]}")' if text else "without our mark"


def identity(kind: str, inputs: Inputs) -> tuple[str, ...]:
    """What tells an object from all others."""
    for each in KINDS:
        if each.type == kind and all(inputs.get(name) for name in each.given):
            return each.called, *(str(inputs[name]) for name in each.given)
    return (kind,)
