"""`contextualize`: prepare an event's clusters, as the program does during `up` or by hand.

By hand it takes the secret and the token of the session; from the program it gets both on standard
input, so that neither is in an argument, a log or the state in the clear.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import IO, Any

from event.problems import RunError
from event.stack import EventStack
from operate.contextualize.applier import ClusterReport, apply_cluster, lines
from operate.contextualize.playbooks.play import stop_without_ansible
from operate.contextualize.ways import ways
from operate.event_token import is_listed, session_for_asking
from operate.places import Places
from operate.preflight import few
from operate.progress import Telling
from operate.session import site_api
from operate.stacks import load_event
from operate.variables import STACK_FILE, TOKEN
from plan.contextualize.bundles import all_orders, orders_for
from plan.plan import plan_event

CLUSTERS_AT_ONCE = 8


def contextualize(
    stack: EventStack, names: Sequence[str], places: Places, telling: Telling, *, force: bool
) -> int:
    """Prepare clusters (all when none is named); the exit code. `force`: over changed files too."""
    plan = plan_event(stack)
    stop_without_ansible(plan.guests)
    session = session_for_asking(stack, places, telling)
    secret = session.secret()
    wanted = {each.cluster: each for each in all_orders(plan, secret)}
    unknown = [name for name in names if name not in wanted]
    if unknown or not wanted:
        what = f"{', '.join(unknown)}: nothing to prepare" if unknown else "nothing to prepare"
        known = f"; known: {few(list(wanted))}" if wanted else ""
        raise RunError(
            f"{stack.path}: {what}{known}; write contextualize: {{level: base}} below event"
        )
    way_of = ways(stack, plan, session.api(), secret, places)
    chosen = [wanted[name] for name in names] or list(wanted.values())
    reports = []
    with ThreadPoolExecutor(max_workers=CLUSTERS_AT_ONCE) as pool:
        for report in pool.map(lambda each: apply_cluster(each, way_of, force=force), chosen):
            reports.append(report)
            for line in lines(report):
                telling.step(line)
    _sum_up(reports, session.typed, telling)
    return 0 if all(each.ok for each in reports) else 1


def _sum_up(reports: list[ClusterReport], typed: str, telling: Telling) -> None:
    bad = [each.cluster for each in reports if not each.ok]
    text = [f"contextualize: {len(reports) - len(bad)} of {len(reports)} clusters as ordered"]
    if bad:
        text.append(f"to go on, type: ./practicum contextualize {typed} {' '.join(bad)}")
    telling.summary(text, {"clusters": [as_record(each) for each in reports], "missing": bad})


def as_record(report: ClusterReport) -> dict[str, Any]:
    """A report as plain JSON values."""
    return {**asdict(report), "ok": report.ok}


def from_program(name: str, cluster: str, given: IO[str], variables: Mapping[str, str]) -> int:
    """Prepare one cluster for the program: `{"secret", "token"?}` comes on standard input.

    The stack file is the one that the engine's run is about, if that is known, else `name`'s.
    """
    places = Places.of(variables)
    secrets: dict[str, str] = json.load(given)
    stack = load_event(variables.get(STACK_FILE) or name, places)
    plan = plan_event(stack)
    handed, written = variables.get(TOKEN, ""), _file_token(stack, places)
    # The file is the site's; what is handed to a listed event is the event's own.
    token = secrets.get("token") or ((handed or written) if is_listed(stack) else written or handed)
    api = site_api(stack.site, places, token)
    way_of = ways(stack, plan, api, secrets["secret"], places)
    report = apply_cluster(orders_for(plan, cluster, secrets["secret"]), way_of)
    text = "\n".join(lines(report))
    print(text, file=sys.stdout if report.ok else sys.stderr)
    return 0 if report.ok else 1


def _file_token(stack: EventStack, places: Places) -> str:
    """The token in the file that the site names."""
    written = stack.site.site.api.token_file
    path = places.root / os.path.expanduser(written) if written else None
    return path.read_text().strip() if path is not None and path.is_file() else ""
