"""Status: what is missing, cluster by cluster, from the site and the guests' own records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operate.api import ApiError
from operate.status import lines, look
from plan.records import EventPlan
from tests.plan.making import planned


class Site:
    """An API of which guests run, answer and have records as a test says."""

    def __init__(self, plan: EventPlan) -> None:
        self.rows = {
            each.vmid: {"vmid": each.vmid, "node": each.host, "status": "running"}
            for each in plan.guests
        }
        self.silent: set[int] = set()
        self.levels = {each.vmid: each.level for each in plan.guests}

    def get(self, path: str, **query: str) -> Any:
        if path == "/cluster/resources":
            return list(self.rows.values())
        level = self.levels[int(path.split("/")[4])]
        return {"content": json.dumps({"level": level}) if level else "{ torn"}

    def post(self, path: str) -> Any:
        if int(path.split("/")[4]) in self.silent:
            raise ApiError("answer", "QEMU guest agent is not running", status=500)
        return {}


@pytest.fixture
def plan() -> EventPlan:
    return planned(clusters={"count": 3}, contextualize={"level": "ssh"})


@pytest.fixture
def site(plan: EventPlan) -> Site:
    return Site(plan)


def told(plan: EventPlan, site: Site) -> list[str]:
    return lines(look(plan, site))  # type: ignore[arg-type]


def test_an_event_that_is_as_wanted_is_a_line_for_each_cluster(plan: EventPlan, site: Site) -> None:
    assert told(plan, site) == [
        "instructor  1 guests run, prepared: base",
        "c01         5 guests run, prepared: ssh",
        "c02         5 guests run, prepared: ssh",
        "c03         5 guests run, prepared: ssh",
        "4 of 4 are as wanted",
    ]


def test_each_thing_that_is_missing_is_named_with_its_guests(plan: EventPlan, site: Site) -> None:
    del site.rows[100101]
    site.rows[100111]["status"] = "stopped"
    site.silent = {100112, 100113}
    site.levels[100201] = "base"
    site.levels[100301] = None  # type: ignore[assignment]
    assert told(plan, site)[1:] == [
        "c01         c01-head: is not there; c01-n1: is off; c01-n2, c01-n3: does not answer",
        "c02         c02-head: is prepared up to base",
        "c03         c03-head: is prepared up to nothing",
        "1 of 4 are as wanted",
    ]


def test_guests_that_are_not_prepared_need_no_agent() -> None:
    plan = planned(clusters={"count": 1}, instructor=None)
    site = Site(plan)
    site.silent = set(site.rows)
    assert told(plan, site) == ["c01  5 guests run", "1 of 1 are as wanted"]
