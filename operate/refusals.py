"""What an event's token may not do or see, found before the first write, by path and privilege.

Lists show a narrow token its own objects only, so "not in the list" is never read as "not there":
whether a VMID is free is asked of Proxmox VE, which tells it to everybody.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from event.problems import RunError
from event.stack import SiteStack, Stack
from operate.api import Api
from operate.deployed import Deployed, DeployedGuest
from operate.occupied import sees_all_guests, taken
from operate.preflight import Findings, few
from operate.recovery import begun_vmids
from operate.survey import MARK, POLL_S, SETTLE_S, Seen, survey
from plan import naming
from plan.records import EventPlan, Right, SitePlan


def missing(api: Api, rights: Iterable[Right]) -> list[tuple[str, str]]:
    """Path and privilege of each right that the API's token lacks."""
    found = []
    for right in rights:
        held = api.get("/access/permissions", path=right.path).get(right.path) or {}
        found += [(right.path, name) for name in right.privileges if name not in held]
    return found


def stop_if_refused(stack: Stack, site: SiteStack, api: Api, rights: Iterable[Right]) -> None:
    """`PreflightError` that names what the event's token is not allowed, and where."""
    lacking: dict[str, list[str]] = {}
    for path, name in missing(api, rights):
        lacking.setdefault(path, []).append(name)
    findings = Findings(
        problems=[
            site.problem(
                ("site", "events"),
                f"the API token of {stack.name} lacks {', '.join(names)} on {path}",
                hint=f"to give it back, type: ./practicum up {site.name} --refresh",
            )
            for path, names in lacking.items()
        ]
    )
    findings.stop_if_any()


def hidden_guests(state: Deployed | None, seen: Seen, api: Api) -> list[DeployedGuest]:
    """Guests of the state whose VMIDs are in use, and which this token does not see."""
    unseen = {each.vmid: each for each in state.guests} if state else {}
    unseen = {vmid: each for vmid, each in sorted(unseen.items()) if vmid not in seen.guests}
    if not unseen or sees_all_guests(api):
        return []
    return [unseen[vmid] for vmid in taken(unseen, api)]


def hidden_text(stack: Stack, hidden: Sequence[DeployedGuest]) -> str:
    """Which guests are not touched, and how to get them back."""
    names = few([f"{each.name} ({each.vmid})" for each in hidden])
    return (
        f"{stack.path}: {names}: in use, but not shown to the event's API token: out of the pool "
        f"{naming.pool(stack.name)}, or somebody else's by now; not touched. Put what is yours "
        "back into the pool, and type the same again"
    )


def settled(state: Deployed | None, seen: Seen, api: Api) -> Seen:
    """The site once clones that a cut-off run had begun are in the event's pool, or are gone.

    Proxmox VE puts a clone into its pool at the end; until then the token does not see it.
    """
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        unseen = sorted(begun_vmids(state) - seen.guests.keys())
        if not unseen or sees_all_guests(api) or not taken(unseen, api):
            break
        time.sleep(POLL_S)
        seen = survey(api, seen.bridges)
    return seen


def stop_if_changed_hands(stack: Stack, plan: EventPlan, state: Deployed | None) -> None:
    """`RunError` when an event that is up made its pool by itself and is listed now, or not any
    more: it would lose pool and rights under its guests."""
    if state is None or not (state.guests or state.pools):
        return
    # Somebody may have deleted the pool: the component around it stays in the state.
    own = bool(state.pools) or any(kind == "Access" for kind, _ in state.objects)
    if plan.access.by_site and own:
        raise RunError(_changed(stack, plan.site, f"lists {stack.name} in events now"))
    if not plan.access.by_site and not own:
        raise RunError(_changed(stack, plan.site, f"does not list {stack.name} in events any more"))


def _changed(stack: Stack, site: str, what: str) -> str:
    return (
        f"{stack.path}: the site {site} {what}, but the event is up with its pool and rights as "
        f"before; undo that in the site's file, or first type: ./practicum destroy {stack.name}"
    )


def stop_if_events_are_up(
    stack: SiteStack, plan: SitePlan, state: Deployed | None, seen: Seen
) -> None:
    """`PreflightError` when the site does not list events any more that are up in its pools."""
    keeps = {each.access.pool for each in plan.events} | {naming.templates_pool(stack.name)}
    findings = Findings()
    for pool in sorted((state.pools & seen.pools if state else set()) - keeps):
        event = pool.removeprefix(f"{MARK}-")
        guests = [each.name for each in seen.guests.values() if {MARK, event} <= each.tags]
        if guests:
            findings.problems.append(
                stack.problem(
                    ("site", "events"),
                    f"does not list {event} any more, which is up: {few(sorted(guests))}",
                    hint=f"write it back, or first type: ./practicum destroy {event}",
                )
            )
    findings.stop_if_any()
