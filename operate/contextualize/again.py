"""Guests that a run has made anew are prepared, even where the engine saw no reason to.

A cluster's command runs when its triggers change. A guest that was gone and is made again has the
VMID that it had, so to the engine nothing has changed; what is on its disk has.
"""

from __future__ import annotations

from event.stack import EventStack
from operate.contextualize.applier import apply_cluster, lines
from operate.contextualize.ways import ways
from operate.progress import Tally
from operate.session import Session
from plan.contextualize.bundles import orders_for
from plan.records import EventPlan

MADE = ("create", "replace", "create-replacement")
COMMAND = "{}-contextualization (Command)"


def clusters_to_prepare(plan: EventPlan, tally: Tally) -> list[str]:
    """Clusters with guests that were made in a run in which their command did not run."""
    names = []
    for guest in plan.guests:
        name = guest.cluster or guest.name
        made = tally.changed.get(guest.name) in MADE
        if made and guest.prepared and guest.start and name not in names:
            names.append(name)
    ran = {*tally.changed, *tally.failed}
    return [name for name in names if COMMAND.format(name) not in ran]


def prepare_again(session: Session, plan: EventPlan, tally: Tally) -> None:
    """Prepare them; what is missing is counted as failed."""
    names = clusters_to_prepare(plan, tally)
    if not names:
        return
    session.telling.step(f"made again and prepared once more: {', '.join(names)}")
    secret = session.secret()
    assert isinstance(session.stack, EventStack)
    way_of = ways(session.stack, plan, session.api(), secret, session.places)
    for name in names:
        report = apply_cluster(orders_for(plan, name, secret), way_of)
        if not report.ok:
            tally.failed[COMMAND.format(name)] = "\n".join(lines(report))
