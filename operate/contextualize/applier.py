"""Carries the orders of a cluster out: the head first, then all others at once, then playbooks and
the checks.

The head serves what the other nodes ask for, so it comes first. A guest that fails does not stop
the others; playbooks and checks run when every guest of the cluster has its orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

from operate.api import Api
from operate.contextualize.agent import Agent
from operate.contextualize.playbooks.play import play
from operate.contextualize.way import GuestError, Way
from plan.contextualize.orders import ClusterOrders, Orders, Playbook
from plan.phrases import few

AT_ONCE = 16
"""Guests of one cluster that are worked on at the same time."""

TRIES = 3
"""How often orders are sent to a guest whose answer gets lost."""

State = Literal["done", "failed", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestReport:
    """What became of one guest. `kept` are files that a participant has changed, `due` playbooks
    that it has not had."""

    guest: str
    state: State
    cause: str = ""
    why: str = ""
    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    way: str = ""  # how it was reached, where people should know


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """What became of a cluster: its guests, and the checks on its head."""

    cluster: str
    guests: tuple[GuestReport, ...]
    checks: GuestReport | None = None  # None when a guest failed before them

    @property
    def ok(self) -> bool:
        """Whether the cluster is as ordered."""
        reports = [*self.guests, *([self.checks] if self.checks else [])]
        return self.checks is not None and all(each.state == "done" for each in reports)


WayOf = Callable[[Orders], Way | None]
"""The way to a guest; None when the site has no such guest."""


def agents(api: Api, boot_timeout_s: float) -> Callable[[Orders], Agent | None]:
    """Agents of the site's guests, wherever they are now."""
    rows = api.get("/cluster/resources", type="vm")
    hosts = {int(row["vmid"]): str(row["node"]) for row in rows if row.get("vmid")}

    def agent_of(orders: Orders) -> Agent | None:
        host = hosts.get(orders.vmid)
        if host is None:
            return None
        return Agent(api=api, host=host, vmid=orders.vmid, answers_s=boot_timeout_s)

    return agent_of


def apply_cluster(orders: ClusterOrders, way_of: WayOf, *, force: bool = False) -> ClusterReport:
    """Carry the orders of a cluster out."""
    ways = {each.guest: way_of(each) for each in orders.guests}
    head, others = orders.guests[:1], orders.guests[1:]

    def apply(each: Orders) -> GuestReport:
        return _asked(each, ways[each.guest], each.as_json(force=force))

    reports = [*map(apply, head), *_at_once(others, apply)]
    checks = None
    for playbook in orders.playbooks:
        if all(each.state == "done" for each in reports):
            reports = _played(playbook, orders, reports, ways)
    if all(each.state == "done" for each in reports):
        checks = _check(orders.guests, ways)
    return ClusterReport(cluster=orders.cluster, guests=tuple(reports), checks=checks)


def _at_once(orders: Iterable[Orders], work: Callable[[Orders], GuestReport]) -> list[GuestReport]:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(work, orders))


def _played(
    playbook: Playbook,
    orders: ClusterOrders,
    reports: list[GuestReport],
    ways: Mapping[str, Way | None],
) -> list[GuestReport]:
    """The guests' reports once a playbook was played on those that have not had it."""
    due = {each.guest for each in reports if playbook.mark.name in each.due}
    there = {name: way for name, way in ways.items() if name in due and way is not None}
    if not there:
        return reports
    failed = play(playbook, there)

    def after(one: Orders, report: GuestReport) -> GuestReport:
        if one.guest not in due:
            return report
        if one.guest in failed:
            why = failed[one.guest]
            return replace(report, state="failed", cause=playbook.name, why=why)
        marked = _asked(one, ways[one.guest], playbook.done_as_json())
        if marked.state != "done":
            return marked
        return replace(report, ran=(*report.ran, playbook.name))

    return [after(one, report) for one, report in zip(orders.guests, reports, strict=True)]


def _check(guests: tuple[Orders, ...], ways: Mapping[str, Way | None]) -> GuestReport:
    for orders in guests:
        if not orders.checks:
            continue
        report = _asked(orders, ways[orders.guest], orders.checks_as_json())
        if report.state != "done":
            return report
    return GuestReport(guest=guests[0].guest, state="done")


def _asked(orders: Orders, way: Way | None, given: dict[str, Any]) -> GuestReport:
    """Have one guest carry something out; every failure is part of the report."""
    if way is None:
        why = f"the site has no guest {orders.vmid}"
        return GuestReport(guest=orders.guest, state="missing", cause="missing", why=why)
    try:
        told = _carried(way, given)
    except GuestError as error:
        return GuestReport(guest=orders.guest, state="failed", cause=error.cause, why=str(error))
    failed = told["failed"]
    return GuestReport(
        guest=orders.guest,
        state="failed" if failed else "done",
        cause=failed["name"] if failed else "",
        why=failed["why"] if failed else "",
        written=tuple(told["written"]),
        kept=tuple(told["kept"]),
        ran=tuple(told["ran"]),
        due=tuple(told["due"]),
        way=way.told,
    )


def _carried(way: Way, given: dict[str, Any]) -> dict[str, Any]:
    """The guest's report. One that was lost on the way (a restart, a host that went away) is asked
    for again: orders that were carried out already change nothing."""
    for _ in range(TRIES - 1):
        try:
            way.wait()
            return way.carry_out(given)
        except GuestError as error:
            if error.cause != "lost":
                raise
    way.wait()
    return way.carry_out(given)


def lines(report: ClusterReport) -> list[str]:
    """A report for people: what is missing and why; one line when all is well."""
    kept = sum(len(each.kept) for each in report.guests)
    left = f"; {kept} files that participants have changed are left alone" if kept else ""
    if report.ok:
        ran = "".join(f"; {name} ran on {few(names)}" for name, names in _own(report).items())
        ways = [f"  {each.guest}: {each.way}" for each in report.guests if each.way]
        return [f"{report.cluster}: {len(report.guests)} guests prepared{ran}{left}", *ways]
    told = []
    for each in (*report.guests, *([report.checks] if report.checks else [])):
        if each.state != "done":
            what = f"{each.cause}: " if each.cause else ""
            told.append(f"{each.guest}: {what}{_last(each.why)}")
    return [f"{report.cluster}: not as ordered{left}", *(f"  {line}" for line in told)]


def _own(report: ClusterReport) -> dict[str, list[str]]:
    """Own steps that ran, which alone have a folder in their names, and where."""
    found: dict[str, list[str]] = {}
    for each in report.guests:
        for name in each.ran:
            if "/" in name:
                found.setdefault(name, []).append(each.guest)
    return found


def _last(text: str) -> str:
    """The last lines of an output, which say what went wrong."""
    return " / ".join(text.strip().splitlines()[-3:]) or "no reason given"
