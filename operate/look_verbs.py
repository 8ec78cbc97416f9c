"""`preview` and `refresh`: what `up` would change, and what others have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from event.stack import EventStack, Stack
from operate.adoption import find_ours
from operate.api import Api, ApiError
from operate.deployed import Deployed, deployed
from operate.drift import strangers, strangers_text, told
from operate.engine_errors import explain
from operate.event_token import with_event_token
from operate.guest_firewall import OpenFirewall, open_firewalls
from operate.kept_disks import kept_disks
from operate.places import Places
from operate.preflight import few, look, stop_if_blind
from operate.progress import Tally, Telling
from operate.reading import read_again
from operate.recovery import Repair, carry_out, plan_repair
from operate.refusals import hidden_guests, hidden_text, settled
from operate.run import Outcome, engine_run
from operate.session import open_session
from operate.summary import change_lines, end_lines
from operate.survey import Seen
from operate.up import Wishes, compare_deployed, guest_names, parallel, start
from plan.kept_disks import VARIABLE, as_text
from plan.plan import plan_event, plan_site
from plan.records import EventPlan

SHOWN_DRIFT = 12


def preview(stack: Stack, places: Places, wishes: Wishes, telling: Telling) -> None:
    """Tell what `up` would change. Makes no connection to the site; its lab may be stopped."""
    plan = plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack)
    for warning in plan.warnings:
        telling.warn(str(warning))
    session = with_event_token(open_session(stack, places, telling))
    state = deployed(session.engine)
    comparison = None
    if state is None:
        session.make_stack()
    elif isinstance(plan, EventPlan):
        assert isinstance(stack, EventStack)
        comparison = compare_deployed(stack, state, plan)
        session.engine.variables[VARIABLE] = as_text(kept_disks(state, plan))
    for line in change_lines(plan, comparison):
        telling.step(line)
    options = ["--parallel", str(parallel(plan, wishes))]
    tally = Tally(wanted=guest_names(plan))
    outcome = engine_run(session, "preview", options, f"preview {stack.name}", tally)
    telling.summary(_preview_lines(outcome), outcome.record())
    outcome.stop_if_failed()


def _preview_lines(outcome: Outcome) -> list[str]:
    stack = outcome.session.stack.name
    if not outcome.ok:
        return end_lines(outcome)
    counts = outcome.summary.changes if outcome.summary else {}
    parts = [f"{number} to {_INFINITIVES.get(each, each)}" for each, number in counts.items()
             if each != "same"]  # fmt: skip
    same = counts.get("same", 0)
    text = ", ".join(parts) or "nothing to change"
    lines = [f"preview {stack}: resources: {text}" + (f", {same} unchanged" if same else "")]
    for operation in ("replace", "delete"):
        names = [name for name, each in outcome.tally.changed.items() if each == operation]
        if names:
            lines.append(f"  to {_INFINITIVES[operation]}: {few(sorted(names))}")
    if parts:
        lines.append(f"to do it, type: ./practicum up {outcome.session.typed}")
    return lines


_INFINITIVES = {
    "create": "make",
    "update": "change",
    "replace": "replace",
    "delete": "remove",
    "create-replacement": "make anew",
    "delete-replaced": "remove for it",
}


def refresh(stack: Stack, places: Places, wishes: Wishes, telling: Telling) -> None:
    """Read everything at the site again; tell what others have changed, in counts and names."""
    session = with_event_token(start(stack, places, telling))
    session.stop_if_locked()
    state = deployed(session.engine)
    if state is None or not (state.resources or state.pending):
        telling.summary([f"{stack.name}: nothing is deployed"], {"stack": stack.name, "done": 0})
        return
    api = session.api()
    seen = look(api, session.site, ())
    stop_if_blind(session.site, seen)
    seen = settled(state, seen, api)
    hidden = hidden_guests(state, seen, api)
    if hidden:
        telling.warn(hidden_text(stack, hidden))
    plan = plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack)
    ours = find_ours(plan, state, seen, api)
    repair = plan_repair(state, seen, stack.name, api, ours=ours)
    foreign = strangers(stack, state, seen, api)
    if foreign:
        telling.warn(strangers_text(stack, foreign))
    skipped = {guest.urn for guest, _ in foreign} | {guest.urn for guest in hidden}
    if repair.notes or repair.ours:
        for line in repair.lines:
            telling.step(line)
        stale = tuple(urn for urn in repair.stale if urn not in skipped)
        carry_out(session, replace(repair, stale=stale), state, api, verb="refresh")
        state = deployed(session.engine) or state
    names = frozenset(guest.logical for guest in state.guests)
    options = ["--yes", "--skip-preview", "--parallel", str(parallel(plan, wishes))]
    for urn in sorted(skipped):
        options += ["--exclude", urn]
    tally = Tally(wanted=names)
    outcome = read_again(session, state, options, f"refresh {stack.name}", tally)
    opened = _opened(state, seen, api, repair, tally)
    record = outcome.record() | {
        "gone": sorted(outcome.tally.gone),
        "firewalls": {each.name: dict(each.differs) for each in opened},
        "drift": {name: list(fields) for name, fields in outcome.tally.drift.items()},
    }
    after = deployed(session.engine) if outcome.tally.drift else None
    telling.summary(_drift_lines(outcome, state, after, seen, opened), record)
    outcome.stop_if_failed()


def _opened(
    state: Deployed, seen: Seen, api: Api, repair: Repair, tally: Tally
) -> tuple[OpenFirewall, ...]:
    """Heads' firewalls that others have opened. What was read before is told all the same when
    they cannot be read."""
    try:
        return open_firewalls(state, seen, api, without=[each.name for each in repair.leftovers])
    except ApiError as failure:
        tally.general_errors.append(f"the heads' firewalls cannot be read: {failure.text}")
        return ()


def _drift_lines(
    outcome: Outcome,
    state: Deployed,
    after: Deployed | None,
    seen: Seen,
    opened: Sequence[OpenFirewall],
) -> list[str]:
    """What others changed, against the state from before the refresh."""
    stack, tally = outcome.session.stack.name, outcome.tally
    if not outcome.ok:
        lines = end_lines(outcome)
        return [*lines, *(f"  {explain(text, stack)}" for text in tally.warnings[:3])]
    took = f"in {outcome.finished.seconds:.0f} s"
    if not (tally.gone or tally.drift or opened):
        return [f"refresh {stack}: {tally.count} looked at {took}; nobody has changed anything"]
    lines = [
        f"refresh {stack}: {tally.count} looked at {took}; "
        f"{len(tally.gone)} gone, {len(tally.drift)} changed by others"
    ]
    if tally.gone:
        lines.append(f"  gone: {few(sorted(tally.gone))}")
    lines += [f"  {each.name}: {each.words}" for each in opened]
    guests = {guest.logical: guest for guest in state.guests}
    was, now = state.values, after.values if after else {}
    for name in sorted(tally.drift)[:SHOWN_DRIFT]:
        guest = guests.get(name)
        there = seen.guests.get(guest.vmid) if guest else None
        values = was.get(name, {}), now.get(name, {})
        lines.append(f"  {name}: {told(guest, there, tally.drift[name], values)}")
    if len(tally.drift) > SHOWN_DRIFT:
        lines.append(f"  … and {len(tally.drift) - SHOWN_DRIFT} more")
    lines.append(f"to put it right, type: ./practicum up {outcome.session.typed}")
    return lines
