"""`reset`: a node, or a whole cluster, is again as `up` left it; all work on it is lost.

Its guests are made anew from their template and prepared once more, which is the same everywhere:
no storage has to be able to make snapshots, and what participants did to one cannot spoil it.
"""

from __future__ import annotations

import sys

from event.problems import RunError
from event.stack import EventStack
from operate.contextualize.again import prepare_again
from operate.deployed import deployed
from operate.event_token import with_event_token
from operate.handouts.entry import find
from operate.places import Places
from operate.preflight import few
from operate.progress import Tally, Telling
from operate.run import engine_run
from operate.session import Session
from operate.summary import end_lines
from operate.up import Wishes, parallel, start
from plan.plan import plan_event
from plan.records import EventPlan


def reset(stack: EventStack, name: str, places: Places, wishes: Wishes, telling: Telling) -> None:
    """Make the guests behind `c07` or `c07/n2` anew. Raises `RunError` for an unknown name."""
    plan = plan_event(stack)
    names = guests_of(plan, name)
    session = with_event_token(start(stack, places, telling))
    session.stop_if_locked()
    state = deployed(session.engine)
    urns = {each.logical: each.urn for each in state.guests} if state else {}
    lacking = [each for each in names if each not in urns]
    if lacking:
        raise RunError(
            f"{stack.name}: {few(lacking)} was never made; type: ./practicum up {session.typed}"
        )
    _ask(session, names, wishes)
    options = ["--yes", "--skip-preview", "--continue-on-error", "--target-dependents"]
    options += ["--parallel", str(parallel(plan, wishes))]
    for each in names:
        options += ["--target-replace", urns[each]]
    tally = Tally(wanted=frozenset(names))
    outcome = engine_run(session, "up", options, f"reset {', '.join(names)}", tally)
    if outcome.ok:
        prepare_again(session, plan, tally)
    telling.summary(end_lines(outcome), outcome.record())
    outcome.stop_if_failed()


def guests_of(plan: EventPlan, name: str) -> list[str]:
    """Guests behind a name: all of a cluster, or one node."""
    for cluster in plan.clusters:
        if name == cluster.name:
            return [guest.name for guest in cluster.guests]
    return [find(plan, name).name]


def _ask(session: Session, names: list[str], wishes: Wishes) -> None:
    """Always ask: the work of a group is on these disks, on a lab as well."""
    them = "IT" if len(names) == 1 else "THEM"
    session.telling.step(f"{few(names)}: made anew, ALL WORK ON {them} IS LOST")
    if wishes.yes:
        return
    if not sys.stdin.isatty():
        raise RunError("nobody is here to ask; type the same with --yes")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RunError("nothing was changed")
