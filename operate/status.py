"""`status`: which guests of an event run, answer and are prepared, cluster by cluster.

Asks the site and the guests' agents, never the engine's state: applied is not ready.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from event.problems import RunError
from event.stack import EventStack
from operate.api import CONNECTIONS, Api, ApiError
from operate.contextualize.carrier import RECORD
from operate.event_token import session_for_asking
from operate.places import Places
from operate.preflight import few
from operate.progress import Telling
from plan.plan import plan_event
from plan.records import LEVELS, EventPlan, Guest

WATCH_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStatus:
    """What one guest is like now. `level` is how far it was prepared; None when nobody can say."""

    guest: str
    there: bool
    running: bool
    answers: bool
    level: str | None
    wanted: str

    @property
    def missing(self) -> str:
        """What keeps it from being as wanted; empty when nothing does."""
        if not self.there:
            return "is not there"
        if not self.running:
            return "is off"
        if self.wanted == "none":
            return ""
        if not self.answers:
            return "does not answer"
        if self.level is None or LEVELS.index(self.level) < LEVELS.index(self.wanted):
            return f"is prepared up to {self.level or 'nothing'}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """A cluster, or the instructors' node."""

    cluster: str
    level: str  # the highest one that a guest of it is to have
    guests: tuple[GuestStatus, ...]

    @property
    def ready(self) -> bool:
        """Whether every guest is as wanted."""
        return not any(each.missing for each in self.guests)


def look(plan: EventPlan, api: Api) -> tuple[ClusterStatus, ...]:
    """The event as it is now. Raises `ApiError` when the site does not answer."""
    rows = {int(row["vmid"]): row for row in api.get("/cluster/resources", type="vm")}
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
        found = dict(
            zip(
                (each.name for each in plan.guests),
                pool.map(lambda each: _guest(each, rows.get(each.vmid), api), plan.guests),
                strict=True,
            )
        )
    return tuple(
        ClusterStatus(
            cluster=name,
            level=max((each.level for each in guests), key=LEVELS.index),
            guests=tuple(found[each.name] for each in guests),
        )
        for name, guests in _groups(plan)
    )


def _groups(plan: EventPlan) -> Iterator[tuple[str, Sequence[Guest]]]:
    if plan.instructor is not None:
        yield plan.instructor.name, (plan.instructor,)
    for cluster in plan.clusters:
        yield cluster.name, cluster.guests


def _guest(guest: Guest, row: dict[str, Any] | None, api: Api) -> GuestStatus:
    running = row is not None and row.get("status") == "running"
    answers, level = False, None
    if row is not None and running and guest.level != "none":
        path = f"/nodes/{row['node']}/qemu/{guest.vmid}/agent"
        try:
            api.post(f"{path}/ping")
            answers = True
            level = _level(api.get(f"{path}/file-read", file=f"/{RECORD}"))
        except ApiError as failure:
            if failure.kind not in ("answer", "timeout"):
                raise
    return GuestStatus(
        guest=guest.name, there=row is not None, running=running, answers=answers, level=level,
        wanted=guest.level,
    )  # fmt: skip


def _level(answer: dict[str, Any]) -> str | None:
    """The level in a guest's record of what it was given."""
    try:
        level = json.loads(answer.get("content") or "").get("level")
    except (ValueError, AttributeError):
        return None
    return level if level in LEVELS else None


def lines(found: Sequence[ClusterStatus]) -> list[str]:
    """A line for each cluster, and the sum."""
    width = max((len(each.cluster) for each in found), default=0)
    told = [f"{each.cluster.ljust(width)}  {_words(each)}" for each in found]
    ready = sum(each.ready for each in found)
    return [*told, f"{ready} of {len(found)} are as wanted"]


def _words(cluster: ClusterStatus) -> str:
    if cluster.ready:
        depth = "" if cluster.level == "none" else f", prepared: {cluster.level}"
        return f"{len(cluster.guests)} guests run{depth}"
    reasons: dict[str, list[str]] = {}
    for guest in cluster.guests:
        if guest.missing:
            reasons.setdefault(guest.missing, []).append(guest.guest)
    return "; ".join(f"{few(names)}: {reason}" for reason, names in reasons.items())


def status(
    stack: EventStack, places: Places, telling: Telling, *, watch: bool, as_json: bool
) -> int:
    """Tell the status once, or again and again until everything is as wanted; the exit code."""
    plan = plan_event(stack)
    session = session_for_asking(stack, places, telling)
    api = session.api()
    last: list[str] = []
    while True:
        try:
            found = look(plan, api)
        except ApiError as failure:
            raise RunError(f"{stack.name}: {failure}") from None
        if as_json:
            print(json.dumps([{**asdict(each), "ready": each.ready} for each in found]))
        else:
            for line in [line for line in lines(found) if line not in last]:
                telling.step(line)
        last = lines(found)
        if not watch or all(each.ready for each in found):
            return 0 if all(each.ready for each in found) else 1
        time.sleep(WATCH_S)
