"""`access`: the logins of an event, derived from its secret; the one verb that shows passwords."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from event.problems import RunError
from event.stack import EventStack
from operate.places import Places, write_private
from operate.progress import Telling
from operate.session import open_session
from plan.plan import plan_event
from plan.records import EventPlan, Guest
from plan.secrets import password


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one cluster, or the instructors' node, is entered."""

    cluster: str
    title: str
    node: str
    address: str
    user: str
    password: str = field(repr=False)


def access(
    stack: EventStack, cluster: str | None, places: Places, telling: Telling
) -> list[Access]:
    """The logins of an event, or of one of its clusters; `RunError` for an unknown cluster."""
    plan = plan_event(stack)
    names = [each.name for each in plan.clusters]
    if cluster is not None and cluster not in names and cluster != "instructor":
        raise RunError(f"{stack.name} has no cluster {cluster}; it has {', '.join(names)}")
    secret = open_session(stack, places, telling).secret()
    return [each for each in logins(plan, secret) if cluster in (None, each.cluster)]


def logins(plan: EventPlan, secret: str) -> list[Access]:
    """One line for each head and for the instructors' node."""
    found = (
        [_access("instructor", "Instructors", plan.instructor, secret)] if plan.instructor else []
    )
    return found + [
        _access(cluster.name, cluster.title, cluster.guests[0], secret)
        for cluster in plan.clusters
        if cluster.guests
    ]


def _access(cluster: str, title: str, guest: Guest, secret: str) -> Access:
    address = guest.interfaces[0].address
    return Access(
        cluster=cluster,
        title=title,
        node=guest.name,
        address=str(address.ip) if address else "dhcp",
        user=guest.login.user,
        password=password(secret, guest.login.password_label),
    )


def as_json(found: list[Access]) -> str:
    """The logins as a JSON list."""
    return json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False)


def as_text(found: list[Access]) -> str:
    """The logins in columns."""
    rows = [("cluster", "address", "login", "password")]
    rows += [(each.cluster, each.address, each.user, each.password) for each in found]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    return "\n".join(lines)


def write(found: list[Access], path: Path, *, json_text: bool) -> None:
    """Write the logins to a file that nobody else can read."""
    write_private(path, (as_json(found) if json_text else as_text(found)) + "\n")
