"""What a run is going to change, and what it has done: in the event's terms, in few lines."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from operate.engine_errors import explain
from operate.preflight import few
from operate.progress import VERBS
from operate.run import Outcome
from plan.compare import Comparison, lines
from plan.own_steps import step_lines
from plan.records import EventPlan, SitePlan

MOST_LINES = 24
MOST_ERRORS = 8
_OWN = re.compile(r"UPID:[^\s\"']+|(?<=ID )\d+|(?<=VM )\d+|(?<=vm-)\d+|(?<=/)\d+")
"""What is a guest's own in the message of an error that many have: its task and its VMID."""


def change_lines(
    plan: EventPlan | SitePlan, comparison: Comparison | None, *, there: int = 0
) -> list[str]:
    """What `up` is going to do, before it does: counts first, then what is affected.

    `there` is the number of objects at the site that the state knows nothing of.
    """
    if isinstance(plan, SitePlan):
        templates = sum(len(image.templates) for image in plan.images)
        return [
            f"site {plan.stack}: bridges on {len(plan.hosts)} hosts, {templates} templates, "
            f"{len(plan.users)} logins"
        ]
    totals = plan.totals
    head = (
        f"event {plan.stack}: {totals.clusters} clusters, {totals.guests} guests on "
        f"{totals.hosts} hosts of site {plan.site}"
    )
    own = step_lines(plan)
    if comparison is None or comparison.before.guests == 0:
        return [head if there else f"{head}; nothing of it is there yet", *own]
    if comparison.nothing:
        return [f"{head}; nothing differs from what is deployed", *own]
    return [f"{head}; {_counts(comparison)}", *_shortened(comparison), *own]


def _counts(comparison: Comparison) -> str:
    counts = Counter(change.kind for change in comparison.guests)
    restarts = sum(change.restarts for change in comparison.guests)
    parts = [f"{number} {kind}" for kind, number in counts.items()]
    if restarts:
        parts.append(f"{restarts} of them restarted")
    return "guests: " + ", ".join(parts) if parts else "only firewall rules differ"


def _shortened(comparison: Comparison) -> list[str]:
    """The comparison's own lines, as many as can be read."""
    text = lines(comparison)
    if len(text) <= MOST_LINES:
        return [f"  {line}" for line in text]
    shown = [f"  {line}" for line in text[:MOST_LINES]]
    return [*shown, f"  … and {len(text) - MOST_LINES} lines more"]


def end_lines(outcome: Outcome) -> list[str]:
    """What is done, what is not and why, where the details are, and what to type next."""
    stack, tally = outcome.session.stack.name, outcome.tally
    counts = Counter(VERBS.get(each, each) for each in tally.changed.values())
    made = ", ".join(f"{number} {word}" for word, number in counts.items()) or "nothing to change"
    took = f"in {outcome.finished.seconds:.0f} s"
    if outcome.ok:
        return [f"{outcome.verb} {stack}: {tally.count} done {took}; resources: {made}"]
    word = "interrupted" if outcome.finished.interrupted else "failed"
    text = [f"{outcome.verb} {stack} {word}: {tally.count} done {took}; resources: {made}"]
    if outcome.undone:
        text.append(f"not done: {few(outcome.undone)}")
    errors = [f"  {few(names)}: {message}" for message, names in _by_message(tally.failed).items()]
    errors += [f"  {explain(message, stack)}" for message in dict.fromkeys(tally.general_errors)]
    text += errors[:MOST_ERRORS]
    if len(errors) > MOST_ERRORS:
        text.append(f"  … and {len(errors) - MOST_ERRORS} errors more")
    text.append(f"engine's log: {outcome.finished.log}")
    text.append(f"to go on, type: {outcome.next_command}")
    return text


def _by_message(failed: dict[str, str]) -> dict[str, list[str]]:
    """Names by what happened to them: one cause mostly fails many. Messages that differ in tasks
    and VMIDs only are one, told as the first of them."""
    names: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for name, message in sorted(failed.items()):
        cause = _OWN.sub("", message)
        names[cause].append(name)
        first.setdefault(cause, message)
    return {first[cause]: each for cause, each in names.items()}


def access_lines(plan: EventPlan, typed: str, *, boots: bool = True) -> list[str]:
    """Where participants log in, and how to get the passwords; no secret.

    `typed` is what a person types for the event; `boots` is whether its guests are systems.
    """
    heads = [
        f"  {cluster.name}  {_address(cluster.guests[0].interfaces[0].address)}"
        for cluster in plan.clusters
    ]
    if len(heads) > MOST_LINES:
        heads = [*heads[: MOST_LINES - 1], f"  … and {len(heads) - MOST_LINES + 1} more"]
    user = next((guest.login.user for guest in plan.guests), "")
    ways = [f"log in: ./practicum ssh {typed} {each.name}" for each in plan.clusters[:1]]
    if not boots:
        ways = ["nobody can log in: guests of this lab are objects of the API (docs/lab.md)"]
    return [
        f"heads (login {user}):" if heads else "no clusters",
        *heads,
        *ways,
        f"passwords: ./practicum access {typed}",
        f"gone with: ./practicum destroy {typed}",
    ]


def _address(interface: object) -> str:
    return str(interface).partition("/")[0] if interface else "address by DHCP"
