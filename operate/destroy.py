"""`destroy`: an event is gone and its site as before; a site goes only when no event is on it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from event.problems import RunError
from event.stack import EventStack, SiteStack, Stack
from operate.adoption import find_ours
from operate.api import Api, ApiError
from operate.beside import deployed_events
from operate.deployed import NOTHING, Deployed, deployed
from operate.drift import stop_if_strangers
from operate.event_log import GUEST_TYPES
from operate.event_token import with_event_token
from operate.leftovers import Leftover, delete
from operate.occupied import stop_if_hidden
from operate.places import Places
from operate.preflight import few, look, stop_if_blind, stop_without_quorum
from operate.progress import Tally, Telling
from operate.recovery import carry_out, plan_repair
from operate.refusals import settled
from operate.run import Outcome, engine_run
from operate.session import Session
from operate.summary import end_lines
from operate.survey import guests_now, path_of, with_description
from operate.unfinished import find_lost
from operate.up import Wishes, parallel, start
from plan.plan import plan_event, plan_site
from plan.records import EventPlan, SitePlan


def destroy(stack: Stack, places: Places, wishes: Wishes, telling: Telling) -> None:
    """Remove everything of a stack from its site. The stack file and its secret stay."""
    session = with_event_token(start(stack, places, telling))
    session.stop_if_locked()
    state = deployed(session.engine)
    plan = plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack)
    if isinstance(stack, SiteStack):
        _stop_if_used(session, stack)
    api = session.api()
    seen = look(api, session.site, _hosts(plan))
    stop_if_blind(session.site, seen)
    stop_without_quorum(session.site, seen)
    seen = settled(state, seen, api)
    ours = find_ours(plan, state, seen, api)
    if not ours and (state is None or not (state.resources or state.pending)):
        telling.summary([f"{stack.name}: nothing is deployed"], {"stack": stack.name, "done": 0})
        return
    stop_if_strangers(stack, state, seen, api)
    stop_if_hidden(stack, state or NOTHING, seen, api)
    lost = find_lost(plan, state or NOTHING, seen, api)
    repair = plan_repair(state, seen, stack.name, api, lost=lost, ours=ours)
    _ask(
        session, len(state.guests if state else ()) + sum(1 for each in ours if each.guest), wishes
    )
    if state is None:
        session.make_stack()
        state = _now(session)
    if repair.needed:
        # A guest that is gone or elsewhere fails a destroy, unless the state is told before.
        for line in repair.lines:
            telling.step(line)
        carry_out(session, repair, state, api, verb="destroy")
        state = _now(session)
    names = frozenset(guest.logical for guest in state.guests)
    options = ["--yes", "--skip-preview", "--parallel", str(parallel(plan, wishes))]
    options += ["--continue-on-error"] + (["--refresh"] if wishes.refresh else [])
    outcome = engine_run(session, "destroy", options, f"destroy {stack.name}", Tally(wanted=names))
    if left := _left(state, outcome, stack, api):
        outcome = _delete_left(left, outcome, options, api)
    telling.summary(end_lines(outcome), outcome.record())
    outcome.stop_if_failed()


def _left(state: Deployed, outcome: Outcome, stack: Stack, api: Api) -> list[Leftover]:
    """Guests that the engine takes for deleted and that are there.

    The provider asks for no deletion when the stop before it has ended with a warning.
    """
    try:
        there = guests_now(api)
    except ApiError:
        return []  # the next run finds them
    return [
        Leftover(name=guest.name, type=GUEST_TYPES[0], path=path_of(found), guest=found)
        for guest in state.guests
        if guest.logical in outcome.tally.done
        if (found := there.get(guest.vmid)) and found.kind == "qemu"
        if with_description(api, found).is_ours(stack.name)
    ]


def _delete_left(
    left: Sequence[Leftover], outcome: Outcome, options: Sequence[str], api: Api
) -> Outcome:
    """Delete them, and what could not go while they were there."""
    session, tally = outcome.session, outcome.tally
    session.telling.step(f"still there, and deleted now: {few([each.name for each in left])}")
    for each in left:
        delete(each, api)
    if outcome.ok:
        return outcome
    rest = Tally(wanted=tally.wanted, changed=dict(tally.changed))
    title = f"destroy {session.stack.name}: what is left"
    again = engine_run(session, "destroy", options, title, rest)
    rest.done |= tally.done
    return again


def _hosts(plan: EventPlan | SitePlan) -> list[str]:
    """Hosts whose bridges are looked at: those of a site, which has made them."""
    return [host.name for host in plan.hosts] if isinstance(plan, SitePlan) else []


def _now(session: Session) -> Deployed:
    state = deployed(session.engine)
    if state is None:
        raise RunError(f"{session.stack.name}: its state has gone meanwhile; type the same again")
    return state


def _ask(session: Session, count: int, wishes: Wishes) -> None:
    """On a real site ask before guests and their disks go."""
    what = "templates" if isinstance(session.stack, SiteStack) else "guests"
    text = f"{session.stack.name}: {count} {what} and their disks are deleted"
    session.telling.step(text)
    if wishes.consents(session.site):
        return
    if not sys.stdin.isatty():
        raise RunError("nobody is here to ask; type the same with --yes")
    answer = input(f"Type the stack's name to delete them ({session.stack.name}): ")
    if answer.strip() != session.stack.name:
        raise RunError("nothing was changed")


def _stop_if_used(session: Session, site: SiteStack) -> None:
    """Raise `RunError` with the events that are deployed on the site."""
    used = sorted(event.name for event in deployed_events(session, site))
    if used:
        raise RunError(
            f"{site.name}: events are deployed on it: {few(used)}; first type: "
            f"./practicum destroy {used[0]}"
        )
