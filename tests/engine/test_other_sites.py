"""The other shipped sites and their events: 66 two-core hosts, and six uneven ones."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine


def test_66_hosts_hold_two_guests_each(practice: Practice) -> None:
    practice.good("up", "ncar-sc09")
    guests = [each for each in practice.guests("ncar") if not each["template"]]
    on_hosts = Counter(each["node"] for each in guests)
    assert sum(on_hosts.values()) == 131
    assert set(on_hosts.values()) <= {1, 2}
    assert len(on_hosts) == 66


def test_six_uneven_hosts_take_a_class_with_users_and_a_sunday_backup(practice: Practice) -> None:
    practice.good("up", "adams-class")
    guests = [each for each in practice.guests("adams-state") if not each["template"]]
    assert len(guests) == 33
    assert "pve01" not in {each["node"] for each in guests}
    users = {each["userid"] for each in practice.api("GET", "access/users", "adams-state")}
    assert {"student-lead@pve", "advisor@pve", "second-reader@pve"} <= users
    jobs = practice.api("GET", "cluster/backup", "adams-state")
    assert [each["schedule"] for each in jobs] == ["sun 01:00"]


@pytest.mark.parametrize(("event", "site"), [("ncar-sc09", "ncar"), ("adams-class", "adams-state")])
def test_the_same_again_sends_no_write(practice: Practice, event: str, site: str) -> None:
    before = practice.writes(site)
    assert practice.good("up", event).changes == {}
    assert practice.good("up", site).changes == {}
    assert practice.writes(site) == before


@pytest.mark.parametrize(("event", "site"), [("ncar-sc09", "ncar"), ("adams-class", "adams-state")])
def test_nothing_is_left_after_both_are_destroyed(
    practice: Practice, event: str, site: str
) -> None:
    practice.good("destroy", event)
    practice.good("destroy", site)
    assert practice.marked(site) == []
