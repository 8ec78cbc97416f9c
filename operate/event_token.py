"""The API token that a site has made for an event: out of the site's state into the variables.

It is decrypted for the engine's process alone: no argument, log, file or preview ever has it.
"""

from __future__ import annotations

import json
from typing import Any

from event.stack import EventStack, Stack
from operate.lab_process import stop_if_down
from operate.places import Places
from operate.progress import Telling
from operate.session import Session, open_session
from plan.digest import plan_digest
from plan.plan import plan_site
from plan.records import Right

OUTPUT = "eventTokens"
"""Output of a site's stack: tokens by the event's name, a secret."""


def is_listed(stack: Stack) -> bool:
    """Whether a stack is an event that its site makes a token for."""
    return isinstance(stack, EventStack) and stack.name in stack.site.site.events


def event_token(session: Session) -> str | None:
    """The token that the site has made for the session's event, if it has."""
    found = dict(_outputs(session).get(OUTPUT) or {}).get(session.stack.name)
    return str(found) if found else None


def with_event_token(session: Session, *, up_to_date: bool = False) -> Session:
    """The session with its event's own token, if the site lists the event and has made one.

    `up_to_date` asks for more: that the site's stack was built as its file says now. Until it is,
    `up` looks around with the token that builds the site.
    """
    if not is_listed(session.stack):
        return session
    outputs = _outputs(session)
    token = dict(outputs.get(OUTPUT) or {}).get(session.stack.name)
    if up_to_date and outputs.get("planDigest") != plan_digest(plan_site(session.site)):
        token = None
    return session.with_token(str(token)) if token else session


def session_for_asking(stack: Stack, places: Places, telling: Telling) -> Session:
    """A session of a verb that asks the site and starts nothing; `RunError` when the site is a lab
    that does not run."""
    stop_if_down(stack, places)
    return with_event_token(open_session(stack, places, telling))


def event_rights(session: Session) -> tuple[Right, ...]:
    """What the site gives the session's event; nothing when it does not list it."""
    events = plan_site(session.site).events
    return next((each.rights for each in events if each.event == session.stack.name), ())


def _outputs(session: Session) -> dict[str, Any]:
    """Outputs of the site's stack, decrypted; none when it is not kept here, or not built."""
    at_site = session.at_site()
    answer = at_site.engine.ask(
        "stack", "output", "--json", "--show-secrets", "--stack", at_site.stack.name
    )
    if answer.code != 0 or not answer.out.strip():
        return {}
    found = json.loads(answer.out)
    return found if isinstance(found, dict) else {}
