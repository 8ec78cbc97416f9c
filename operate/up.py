"""`up`: from a stack file to running guests, with everything checked before the first write.

In order: plan, engine, lab (where the site has one), state, refusals, preflight, consent, the
site's own stack where it lacks something, secret, and the engine's run. What fails before the
engine's run has changed nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from event.problems import RunError
from event.stack import EventStack, SiteStack, Stack
from operate import lab_process
from operate.adoption import find_ours, larger_disks
from operate.beside import stop_if_clashing
from operate.contextualize.again import prepare_again
from operate.contextualize.playbooks.play import stop_without_ansible
from operate.deployed import NOTHING, Deployed, deployed
from operate.deployed_plan import plan_before
from operate.drift import stop_if_strangers
from operate.event_token import event_rights, with_event_token
from operate.first_boot import boots, wait_for_first_boots
from operate.guest_firewall import OpenFirewall, close, open_firewalls
from operate.image_files import image_problems
from operate.kept_disks import kept_disks, kept_line
from operate.lab_engine import NONE, Images, build_images, images_of
from operate.leftovers import Leftover
from operate.occupied import find_occupied, stop_if_hidden
from operate.places import Places
from operate.preflight import (
    Findings,
    Known,
    check_event,
    check_site,
    few,
    look,
    stop_without_quorum,
)
from operate.progress import Tally, Telling
from operate.reading import read_again
from operate.recovery import Repair, begun_vmids, carry_out, plan_repair
from operate.refusals import (
    settled,
    stop_if_changed_hands,
    stop_if_events_are_up,
    stop_if_refused,
)
from operate.run import Outcome, engine_run
from operate.session import Session, open_session
from operate.stacks import site_of
from operate.summary import access_lines, change_lines, end_lines
from operate.unfinished import find_lost
from plan.compare import Comparison, compare
from plan.digest import plan_digest
from plan.kept_disks import VARIABLE, as_text, with_kept_disks
from plan.lanes import lane_of
from plan.plan import plan_event, plan_site
from plan.records import EventPlan, SitePlan

MOST_PARALLEL = 16
PER_HOST = 3
"""Operations at once for each host: more of them wait for the host's locks."""
MOST_CREATED = 64
PER_LANE = 6
IN_TURN = 18
"""Guests created at once: a few for each storage's lane, since a guest that waits for its turn
counts as well, and those on a shared storage whose drives wait for its lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person asked for beside the stack."""

    yes: bool = False
    parallel: int | None = None
    refresh: bool = False

    def consents(self, stack: SiteStack) -> bool:
        """Whether to go on without asking: the one place where it is decided."""
        return self.yes or stack.lab is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An event or site that has passed all checks."""

    session: Session
    plan: EventPlan | SitePlan
    state: Deployed | None
    comparison: Comparison | None = None
    repair: Repair = field(default_factory=Repair)
    site: Ready | None = None  # the site's own stack, when it has to be built first
    site_lacks: list[str] = field(default_factory=list)
    kept: Mapping[str, int] = field(default_factory=dict)  # larger disks of others' making
    firewalls: tuple[OpenFirewall, ...] = ()  # which others have opened
    damaged: bool = False  # a site that was built lacks something now: only a refresh tells


def up(stack: Stack, places: Places, wishes: Wishes, telling: Telling) -> None:
    """Build a stack. Raises `PracticumError` with what to do when that is not possible."""
    plan = plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack)
    for warning in plan.warnings:
        telling.warn(str(warning))
    if isinstance(plan, EventPlan):
        stop_without_ansible(plan.guests)
    images = images_of(site_of(stack), plan) if isinstance(plan, EventPlan) else {}
    session = start(stack, places, telling, images=images)
    session = with_event_token(session, up_to_date=True)
    session.stop_if_locked()
    ready = (
        _check_event(session, stack, plan)
        if isinstance(stack, EventStack) and isinstance(plan, EventPlan)
        else _check_site(session, plan)
    )
    _ask(ready, wishes)
    if ready.site is not None:
        telling.step(f"site {ready.site.session.stack.name}: {_why(ready)}")
        _finish(_build(ready.site, wishes), quiet=True)
        ready = replace(ready, session=with_event_token(ready.session))
        _stop_if_refused(ready.session)
    _finish(_build(ready, wishes))


def start(
    stack: Stack, places: Places, telling: Telling, *, images: Images | None = None
) -> Session:
    """A session on a stack, its site's lab running where the site has one.

    `images` are built where they are absent and the lab's guests really run.
    """
    session = open_session(stack, places, telling)
    if session.site.lab is None:
        return session
    lab = lab_process.status(session.site, places)
    if not lab.running:
        lab, _ = lab_process.start(session.site, places, images=images, tell=telling.step)
        telling.step(f"lab {lab.site} started, answering on {lab.endpoint}")
        for each in lab.lacks:
            telling.warn(each)
    elif lab.engine != NONE:
        build_images(images or {}, places, telling.step)
    return open_session(stack, places, telling, parts=session.parts)  # now with its token


def parallel(plan: EventPlan | SitePlan, wishes: Wishes) -> int:
    """Operations at once."""
    return wishes.parallel or min(MOST_PARALLEL, max(1, PER_HOST * len(plan.hosts)))


def parallel_up(plan: EventPlan | SitePlan, wishes: Wishes) -> int:
    """Operations at once while guests are made, so many that no lane runs dry."""
    if isinstance(plan, SitePlan) or wishes.parallel:
        return parallel(plan, wishes)
    lanes = {lane_of(guest) for guest in plan.guests}
    return min(MOST_CREATED, IN_TURN + PER_LANE * len(lanes))


def _check_event(session: Session, stack: EventStack, plan: EventPlan) -> Ready:
    state = deployed(session.engine)
    comparison = None
    if state is not None:
        comparison = compare_deployed(stack, state, plan)
    stop_if_clashing(session, plan)
    stop_if_changed_hands(stack, plan, state)
    api = session.api()
    if session.own_token:
        _stop_if_refused(session)
    seen = look(api, session.site, sorted({guest.host for guest in plan.guests}))
    stop_without_quorum(session.site, seen)
    seen = settled(state, seen, api)
    if state is not None:
        stop_if_hidden(stack, state, seen, api)
    stop_if_strangers(stack, state, seen, api)
    lost, ours = find_lost(plan, state or NOTHING, seen, api), find_ours(plan, state, seen, api)
    findings = check_event(stack, session.site, plan, seen, _known(state, (*lost, *ours)), api)
    findings.problems += find_occupied(stack, plan, state or NOTHING, seen, api)
    if plan.access.by_site and plan.access.pool not in seen.pools:
        findings.site_lacks.append(f"pool {plan.access.pool}")
    findings.stop_if_any()
    site = _site_if_needed(session, findings)
    if site is None and not session.own_token:
        _stop_if_refused(session)
    repair = plan_repair(state, seen, stack.name, api, lost=lost, ours=ours)
    half_made = [each.name for each in repair.leftovers]
    return Ready(
        session=session,
        plan=plan,
        kept=kept_disks(state, plan, seen) | larger_disks(plan, ours),
        firewalls=open_firewalls(state, seen, api, without=half_made),
        state=state,
        comparison=comparison,
        repair=repair,
        site=site,
        site_lacks=findings.site_lacks,
    )


def _stop_if_refused(session: Session) -> None:
    """Raise `PreflightError` when a listed event's token lacks what the site gives it."""
    stop_if_refused(session.stack, session.site, session.api(), event_rights(session))


def compare_deployed(stack: EventStack, state: Deployed, plan: EventPlan) -> Comparison:
    """What the plan changes of what is deployed; `PreflightError` with what cannot be done."""
    planned = with_kept_disks(plan, kept_disks(state, plan))
    comparison = compare(plan_before(state, planned), planned, locate=stack.locate)
    Findings(problems=list(comparison.refusals)).stop_if_any()
    return comparison


def _site_if_needed(session: Session, findings: Findings) -> Ready | None:
    """The site's stack, when it lacks something or was changed; checked as well.

    A site that somebody else keeps (no state here) is left alone as long as nothing is lacking.
    """
    at_site = session.at_site()
    assert isinstance(at_site.stack, SiteStack)
    plan = plan_site(at_site.stack)
    state = deployed(at_site.engine)
    changed = state is not None and state.digest != plan_digest(plan)
    if not (findings.site_lacks or changed):
        return None
    at_site.stop_if_locked()
    state = deployed(at_site.engine)
    return replace(_check_site(at_site, plan), damaged=bool(state and findings.site_lacks))


def _check_site(session: Session, plan: EventPlan | SitePlan) -> Ready:
    assert isinstance(session.stack, SiteStack)
    assert isinstance(plan, SitePlan)
    state = deployed(session.engine)
    api = session.api()
    seen = look(api, session.stack, [host.name for host in plan.hosts])
    stop_without_quorum(session.stack, seen)
    stop_if_strangers(session.stack, state, seen, api)
    lost, ours = find_lost(plan, state or NOTHING, seen, api), find_ours(plan, state, seen, api)
    stop_if_events_are_up(session.stack, plan, state, seen)
    findings = check_site(session.stack, plan, seen, _known(state, (*lost, *ours)), api)
    findings.problems += find_occupied(session.stack, plan, state or NOTHING, seen, api)
    findings.problems += image_problems(session.stack, plan, state, seen, session.places)
    findings.stop_if_any()
    repair = plan_repair(state, seen, session.stack.name, api, lost=lost, ours=ours)
    return Ready(session=session, plan=plan, state=state, repair=repair)


def _known(state: Deployed | None, lost: Sequence[Leftover]) -> Known:
    begun = begun_vmids(state) | {each.guest.vmid for each in lost if each.guest}
    return Known(state=state.vmids if state else frozenset(), begun=begun)


def _ask(ready: Ready, wishes: Wishes) -> None:
    """Tell what will change; on a real site ask before it does."""
    session = ready.session
    lines = change_lines(ready.plan, ready.comparison, there=len(ready.repair.ours))
    if ready.site is not None:
        lines.insert(0, f"the site {session.site.name} is built first: {_why(ready)}")
    if ready.kept and isinstance(ready.plan, EventPlan):
        lines.append(kept_line(ready.kept, ready.plan))
    lines += [f"{each.name}: {each.words}; it is closed again" for each in ready.firewalls]
    for line in [*lines, *ready.repair.lines]:
        session.telling.step(line)
    if wishes.consents(session.site):
        return
    if not sys.stdin.isatty():
        raise RunError("nobody is here to ask; type the same with --yes")
    answer = input(f"Go on at {session.site.site.api.endpoint}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise RunError("nothing was changed")


def _why(ready: Ready) -> str:
    return f"it lacks {few(ready.site_lacks)}" if ready.site_lacks else "its stack file has changed"


def _build(ready: Ready, wishes: Wishes) -> Outcome:
    session, plan = ready.session, ready.plan
    state = ready.state
    if state is None:
        session.make_stack()
        state = deployed(session.engine)
    if ready.repair.needed and state is not None:
        carry_out(session, ready.repair, state, session.api())
    for firewall in ready.firewalls:
        close(firewall, session.api())
    session.make_secret()
    options = ["--yes", "--skip-preview", "--continue-on-error"]
    options += ["--parallel", str(parallel_up(plan, wishes))]
    if (wishes.refresh or ready.damaged) and state is not None:
        _read_again(session, state, plan, wishes)
    title = f"up {session.stack.name}"
    session.engine.variables[VARIABLE] = as_text(ready.kept)
    outcome = engine_run(session, "up", options, title, Tally(wanted=guest_names(plan)))
    if outcome.ok and isinstance(plan, EventPlan):
        prepare_again(session, plan, outcome.tally)
        wait_for_first_boots(session, plan, outcome.tally)
    return outcome


def _read_again(
    session: Session, state: Deployed, plan: EventPlan | SitePlan, wishes: Wishes
) -> None:
    """Refresh everything before an `up`. Raises `RunFailed` when something cannot be read."""
    options = ["--yes", "--skip-preview", "--parallel", str(parallel(plan, wishes))]
    tally = Tally(wanted=guest_names(plan))
    outcome = read_again(session, state, options, "reading what others changed", tally)
    if not outcome.ok:
        outcome.verb = "up"
        tally.done.clear()
        session.telling.summary(end_lines(outcome), outcome.record())
    outcome.stop_if_failed()


def guest_names(plan: EventPlan | SitePlan) -> frozenset[str] | None:
    """Names of the guests of an event; a site has none."""
    return frozenset(each.name for each in plan.guests) if isinstance(plan, EventPlan) else None


def _finish(outcome: Outcome, *, quiet: bool = False) -> None:
    """The end of a run: what is done, what is not, the next command. Raises when it failed."""
    session = outcome.session
    if quiet and outcome.ok:
        session.telling.step(f"site {session.stack.name} is ready")
        return
    lines = end_lines(outcome)
    if outcome.ok and isinstance(session.stack, EventStack):
        lines += access_lines(plan_event(session.stack), session.typed, boots=boots(session))
    session.telling.summary(lines, outcome.record())
    outcome.stop_if_failed()
