"""`up` of a lab whose guests really run ends when one can log in to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from event.stack import EventStack
from operate import first_boot
from operate.api import ApiError
from operate.first_boot import boots, wait_for_first_boots
from operate.places import Places
from operate.progress import Tally
from operate.session import Session
from operate.stacks import load
from operate.summary import access_lines
from plan.plan import plan_event
from plan.records import EventPlan


class Booting:
    """A site's API whose guests end their first boot at the so-manieth look; one is off."""

    def __init__(self, plan: EventPlan, looks: int) -> None:
        self.looks = {guest.vmid: looks for guest in plan.guests}
        self.off = plan.guests[-1].vmid

    def get(self, path: str, **_: str) -> Any:
        if path == "/cluster/resources":
            return [
                {
                    "vmid": vmid,
                    "node": "pve09",
                    "status": "stopped" if vmid == self.off else "running",
                }
                for vmid in self.looks
            ]
        assert path.startswith("/nodes/pve09/")  # where it is now
        vmid = int(path.split("/")[4])
        assert vmid != self.off
        self.looks[vmid] -= 1
        if self.looks[vmid] > 0:
            raise ApiError("answer", "no such file", status=500)
        return {"content": "{}"}


@pytest.fixture
def plan(places: Places) -> EventPlan:
    stack = load("labevent", places)
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def session(places: Places, engine: str, api: Booting, told: list[str]) -> Session:
    stack = load("labevent", places)
    assert isinstance(stack, EventStack)
    folder = places.lab("labsite")
    folder.mkdir(parents=True)
    (folder / "engine").write_text(f"{engine}\n")
    made: Any = SimpleNamespace(
        site=stack.site, places=places, api=lambda: api, telling=SimpleNamespace(step=told.append)
    )
    return made  # type: ignore[no-any-return]


def test_it_waits_for_all_guests_that_run_and_says_so_once(
    places: Places, plan: EventPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    told: list[str] = []
    tally, api = Tally(), Booting(plan, looks=4)
    wait_for_first_boots(session(places, "lxc", api, told), plan, tally)
    assert tally.failed == {}
    assert told == ["waiting until 3 guests have booted"]
    assert set(api.looks.values()) == {0, 4}


def test_who_takes_too_long_is_named(
    places: Places, plan: EventPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100_000, 400))
    monkeypatch.setattr(first_boot, "time", SimpleNamespace(
        monotonic=lambda: next(clock), sleep=lambda _: None,
    ))  # fmt: skip
    tally = Tally(done={guest.name for guest in plan.guests})
    api = Booting(plan, looks=1)
    api.looks[plan.guests[0].vmid] = 10**6
    wait_for_first_boots(session(places, "lxc", api, []), plan, tally)
    assert tally.failed == {plan.guests[0].name: "its first boot has not ended within 600 s"}
    assert plan.guests[0].name not in tally.done


def test_where_nobody_boots_nothing_is_asked_and_no_way_in_is_shown(
    places: Places, plan: EventPlan
) -> None:
    api, tally = Booting(plan, looks=10**6), Tally()
    ground = session(places, "none", api, [])
    assert not boots(ground)
    wait_for_first_boots(ground, plan, tally)
    assert tally.failed == {}
    lines = access_lines(plan, "event", boots=False)
    assert not [line for line in lines if "./practicum ssh" in line]
    assert "nobody can log in: guests of this lab are objects of the API (docs/lab.md)" in lines
    assert "log in: ./practicum ssh event c01" in access_lines(plan, "event")
