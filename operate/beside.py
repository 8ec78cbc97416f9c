"""The other events of a site that are deployed from the same backend, by what they use."""

from __future__ import annotations

import json
from collections.abc import Iterator

from event.problems import PracticumError, RunError
from event.stack import EventStack, SiteStack
from operate.session import Session
from operate.stacks import load
from plan.neighbours import clashes
from plan.plan import plan_event
from plan.records import EventPlan


def deployed_events(session: Session, site: SiteStack) -> Iterator[EventStack]:
    """Events on a site, other than the session's, of which the backend's state holds something.

    The stack file says what an event uses; a stack whose file is gone cannot be asked.
    """
    for row in json.loads(session.engine.told("stack", "ls", "--json")):
        name = str(row["name"]).rpartition("/")[2]
        if name in (site.name, session.stack.name) or not row.get("resourceCount"):
            continue
        try:
            stack = load(name, session.places)
        except PracticumError:
            continue
        if isinstance(stack, EventStack) and stack.site.name == site.name:
            yield stack


def stop_if_clashing(session: Session, plan: EventPlan) -> None:
    """Raise `RunError` when deployed events leave no room, or use the same numbers."""
    others = []
    for stack in deployed_events(session, session.site):
        try:
            others.append(plan_event(stack))
        except PracticumError:
            continue  # its file was changed to something that cannot be: it says so itself
    found = clashes(plan, others)
    if found:
        lines = "\n".join(f"{session.stack.path}: {text}" for text in found)
        raise RunError(
            f"{lines}\nwrite other ranges, or first type: "
            f"./practicum destroy {others[0].stack if len(others) == 1 else 'EVENT'}"
        )
