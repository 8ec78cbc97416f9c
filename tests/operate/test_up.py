"""Deciding before a run: consent, parallel operations, what is told, and how it ends."""

from __future__ import annotations

import json
import stat
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from event.stack import EventStack, SiteStack
from operate import run
from operate.access import as_json, as_text, logins, write
from operate.engine import Finished
from operate.lab_seed import seed
from operate.places import ROOT, Places
from operate.progress import JsonTelling, PlainTelling, Tally
from operate.run import Outcome
from operate.stacks import load, reference
from operate.summary import access_lines, change_lines, end_lines
from operate.tiers import MARKED, TIERS, Counts, read_report, selection
from operate.up import Wishes, parallel, parallel_up
from plan.plan import plan_event, plan_site
from plan.records import EventPlan

SECRET = "0123456789abcdef0123456789abcdef"


def event_plan(places: Places, name: str = "event") -> EventPlan:
    stack = load(name, places)
    assert isinstance(stack, EventStack)
    return plan_event(stack)


def outcome(places: Places, tally: Tally, *, code: int = 0, interrupted: bool = False) -> Outcome:
    session: Any = type(
        "AnySession",
        (),
        {"stack": type("S", (), {"name": "event"}), "typed": "event"},
    )
    finished = Finished(code=code, interrupted=interrupted, log=Path("/logs/x.log"), seconds=4.2)
    return Outcome(session=session, verb="up", finished=finished, tally=tally, summary=None)


def test_a_lab_is_not_asked_about_and_a_real_site_is(places: Places) -> None:
    real, lab = load("site", places), load("labsite", places)
    assert isinstance(real, SiteStack)
    assert isinstance(lab, SiteStack)
    assert Wishes().consents(lab)
    assert not Wishes().consents(real)
    assert Wishes(yes=True).consents(real)


@pytest.mark.parametrize(("stack", "expected"), [("event", 6), ("site", 6)])
def test_three_operations_at_once_for_each_host(places: Places, stack: str, expected: int) -> None:
    plan = event_plan(places) if stack == "event" else None
    found = load("site", places)
    assert isinstance(found, SiteStack)
    assert parallel(plan or plan_site(found), Wishes()) == expected
    assert parallel(plan or plan_site(found), Wishes(parallel=2)) == 2


def test_a_large_site_gets_sixteen_at_once() -> None:
    shipped = Places(root=ROOT, state=ROOT)
    assert parallel(event_plan(shipped, "ncar-sc09"), Wishes()) == 16


def test_so_many_guests_are_made_at_once_that_no_storage_has_to_wait() -> None:
    shipped = Places(root=ROOT, state=ROOT)
    assert parallel_up(event_plan(shipped, "sc09"), Wishes()) == 24  # one shared storage
    assert parallel_up(event_plan(shipped, "ncar-sc09"), Wishes()) == 64  # one for each host
    assert parallel_up(event_plan(shipped, "sc09"), Wishes(parallel=4)) == 4


def test_a_stack_outside_stacks_is_found_with_its_site(places: Places, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.mine.yaml"
    path.write_text((places.stacks / "Pulumi.event.yaml").read_text())
    stack = load(str(path), places)
    assert stack.name == "mine"
    assert isinstance(stack, EventStack)
    assert stack.site.path.parent == places.stacks
    assert reference(stack, places).typed == str(path)
    assert reference(load("event", places), places).typed == "event"


def test_a_first_run_says_that_nothing_is_there(places: Places) -> None:
    (line,) = change_lines(event_plan(places), None)
    assert line == (
        "event event: 2 clusters, 4 guests on 2 hosts of site site; nothing of it is there yet"
    )


def test_a_good_end_is_one_line_and_the_way_in(places: Places) -> None:
    plan = event_plan(places)
    tally = Tally(wanted=frozenset(guest.name for guest in plan.guests))
    tally.done |= {guest.name for guest in plan.guests}
    tally.changed |= dict.fromkeys(tally.done, "create")
    assert end_lines(outcome(places, tally)) == [
        "up event: 4 of 4 guests done in 4 s; resources: 4 made"
    ]
    lines = access_lines(plan, "event")
    assert lines[0] == "heads (login student):"
    assert "  c02  198.51.100.12" in lines
    assert lines[-2:] == [
        "passwords: ./practicum access event",
        "gone with: ./practicum destroy event",
    ]


def test_a_bad_end_says_what_is_not_done_why_and_what_to_type(places: Places) -> None:
    tally = Tally(wanted=frozenset({"c01-head", "c01-n1"}))
    tally.done.add("c01-head")
    tally.failed["c01-n1"] = "error cloning VM: no room"
    tally.failed["c01-n2"] = "error cloning VM: no room"
    lines = end_lines(outcome(places, tally, code=255))
    assert lines[0] == "up event failed: 1 of 2 guests done in 4 s; resources: nothing to change"
    assert lines[1:] == [
        "not done: c01-n1",
        "  c01-n1, c01-n2: error cloning VM: no room",
        "engine's log: /logs/x.log",
        "to go on, type: ./practicum up event",
    ]


def test_errors_that_differ_in_tasks_and_vmids_are_one_cause(places: Places) -> None:
    text = (
        'VM clone: task "UPID:pve01:0{0}:1:qmclone:9000:root@pam!t:" failed to complete with exit '
        "code: clone failed: cfs-lock error task log: creating a clone of VM 9000 with ID 10{0}"
    )
    tally = Tally(wanted=frozenset({"c01-n1", "c01-n2", "c01-n3"}))
    tally.failed = {f"c01-n{number}": text.format(number) for number in (1, 2)}
    tally.failed["c01-n3"] = "HTTP 596 no route"
    lines = end_lines(outcome(places, tally, code=255))
    assert lines[2:4] == [
        f"  c01-n1, c01-n2: {text.format(1)}",
        "  c01-n3: HTTP 596 no route",
    ]


def test_an_interrupted_run_is_not_a_failed_one(places: Places) -> None:
    ended = outcome(places, Tally(wanted=frozenset({"c01-n1"})), interrupted=True)
    assert end_lines(ended)[0].startswith("up event interrupted: 0 of 1 guests")
    assert ended.record()["result"] == "interrupted"
    assert ended.record()["undone"] == ["c01-n1"]


@pytest.mark.parametrize(
    ("free", "code", "said"),
    [
        (0, 0, "no disk space is left below "),
        (10**9, 0, "the engine's event log is incomplete"),
        (10**9, -9, "the engine was killed (signal 9)"),
        (10**9, 255, "out of luck"),
    ],
)
def test_what_no_event_has_told_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, code: int, said: str
) -> None:
    log = tmp_path / "x.log"
    log.write_text("Updating\nerror: out of luck\n")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    finished = Finished(code=code, interrupted=False, log=log, seconds=1)
    (text,) = run._unsaid(finished, None, "event")
    assert text.startswith(said)


def test_json_events_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    telling = JsonTelling()
    telling.step("lab started")
    telling.warn("careful")
    with telling.run("up event", Tally()):
        telling.interrupted(1)
    telling.summary([], {"stack": "event"})
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["event"] for each in events] == ["step", "warning", "step", "step", "summary"]
    assert all("t" in each for each in events)


def test_plain_progress_tells_each_failure_once(capsys: pytest.CaptureFixture[str]) -> None:
    from operate.event_log import Message

    telling, tally = PlainTelling(), Tally(wanted=frozenset({"c01-n1"}))
    message = Message(severity="error", text="no room", name="c01-n1")
    with telling.run("up event", tally):
        for _ in range(3):
            tally.take(message)
            telling.event(message, tally)
    assert capsys.readouterr().out.splitlines() == ["up event", "  c01-n1: no room"]


def test_logins_derive_from_the_secret_and_stay_the_same(places: Places) -> None:
    found = logins(event_plan(places), SECRET)
    assert [(each.cluster, each.address) for each in found] == [
        ("c01", "198.51.100.11"),
        ("c02", "198.51.100.12"),
    ]
    assert found == logins(event_plan(places), SECRET)
    assert found[0].password != found[1].password
    assert found[0].password not in repr(found)
    assert found[0].password in as_text(found)
    assert json.loads(as_json(found))[1]["password"] == found[1].password


def test_written_logins_are_for_their_owner_only(places: Places, tmp_path: Path) -> None:
    path = tmp_path / "logins.txt"
    write(logins(event_plan(places), SECRET), path, json_text=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_seed_is_what_a_site_has_before_practicum(places: Places) -> None:
    stack = load("labsite", places)
    assert isinstance(stack, SiteStack)
    made = seed(stack)
    assert [node["name"] for node in made["nodes"]] == ["pve01", "pve02"]
    assert made["nodes"][0]["memoryMib"] == 32768
    assert made["bridges"] == ["vmbr0"]
    assert made["volumes"] == [
        {"volid": "shared:import/debian-12.qcow2", "sizeMib": 2048, "nodes": None}
    ]
    assert [(each["id"], each["shared"], each["sizeGib"]) for each in made["storages"]] == [
        ("local", False, 400),
        ("shared", True, 1000),
    ]


def test_test_counts_are_read_from_reports_and_summed() -> None:
    report = """<testsuites><testsuite>
      <testcase name="a"/><testcase name="b"><failure message="no"/></testcase>
      <testcase name="c"><error message="no"/></testcase>
      <testcase name="d"><skipped message="no  engine here"/></testcase>
      <testcase name="e"><skipped message="no engine here"/></testcase>
    </testsuite></testsuites>"""
    total = Counts()
    total.add(read_report(report))
    total.add(read_report("<testsuites><testsuite><testcase/></testsuite></testsuites>"))
    assert str(total) == "2 passed, 2 failed, 2 skipped"
    assert total.reasons == {"no engine here": 2}


def test_tiers_select_by_folder_and_marker(places: Places) -> None:
    assert selection("house", places) == [str(places.root / "tests" / "house")]
    assert selection("unit", places)[-1] == " and ".join(f"not {each}" for each in MARKED)


@pytest.mark.parametrize(
    "marks", [set(some) for n in (0, 1, 2) for some in combinations(MARKED, n)]
)
def test_every_test_belongs_to_exactly_one_tier(places: Places, marks: set[str]) -> None:
    known = {name: name in marks for name in MARKED}
    tiers = [
        tier for tier in TIERS if tier != "house" and eval(selection(tier, places)[-1], {}, known)
    ]
    assert len(tiers) == 1
