"""The lab broken, exported and imported from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from event.problems import RunError
from event.stack import SiteStack
from operate import command_line, lab_archive, lab_control, lab_process, lab_verbs
from operate.api import Api, ApiError
from operate.places import Places
from operate.stacks import load

pytestmark = pytest.mark.wire


@pytest.fixture
def site(places: Places) -> Iterator[SiteStack]:
    places.make()
    stack = load("labsite", places)
    assert isinstance(stack, SiteStack)
    yield stack
    lab_process.stop(stack, places)


@pytest.fixture
def running(site: SiteStack, places: Places, monkeypatch: pytest.MonkeyPatch) -> SiteStack:
    for room in (lab_verbs, lab_archive):
        monkeypatch.setattr(room, "site_and_places", lambda _: (site, places))
    lab_process.start(site, places)
    return site


def test_a_fault_is_added_seen_and_cleared(
    running: SiteStack, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "lab faults add status --status 500 --text boom --path /version --index 2"
    assert command_line.run(words.split()) == 0
    assert capsys.readouterr().out == (
        "fault 1: status --path /version --index 2 --status 500 --text boom: struck 0 times\n"
    )
    lab = lab_process.status(running, places)
    api = Api(lab.endpoint, lab.token_file.read_text().strip(), ca_file=lab.ca_file)
    api.get("/version")
    with pytest.raises(ApiError, match="boom"):
        api.get("/version")
    assert command_line.run(["lab", "faults", "list", "--json"]) == 0
    (fault,) = json.loads(capsys.readouterr().out)
    assert (fault["seen"], fault["fired"]) == (2, 1)
    assert command_line.run(["lab", "faults", "clear", "1"]) == 0
    assert command_line.run(["lab", "faults", "list"]) == 0
    assert capsys.readouterr().out == "cleared: 1\nno faults\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("add explode", "'explode' is no kind of fault"),
        ("add status", "status: a fault of kind status needs it"),
        ("add host-offline --host nowhere", "host: there is no 'nowhere'"),
        ("clear 7", "there is no fault 7"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_one(
    running: SiteStack, capsys: pytest.CaptureFixture[str], words: str, text: str
) -> None:
    assert command_line.run(["lab", "faults", *words.split()]) == 1
    told = capsys.readouterr().err
    assert text in told
    assert told.count("\n") == 1


def test_the_kinds_are_told_with_their_options(
    running: SiteStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(["lab", "faults", "kinds"]) == 0
    told = capsys.readouterr().out
    assert "host-offline: the link of --host is down" in told
    assert "    --host [--crash] [--seconds]\n" in told


def test_a_lab_that_does_not_run_takes_no_orders(
    running: SiteStack, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    lab_process.stop(running, places)
    assert command_line.run(["lab", "faults", "list"]) == 1
    assert "does not run; type: ./practicum lab start" in capsys.readouterr().err


def test_an_export_brings_back_what_was_there(
    running: SiteStack, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lab.json"
    lab_archive.export("labsite", file)
    before = json.loads(file.read_text())
    with pytest.raises(RunError, match="runs; stop it first"):
        lab_archive.load("labsite", file, yes=True)
    lab_process.reset(running, places)
    lab_archive.load("labsite", file, yes=True)
    lab_archive.export("labsite", file)
    assert json.loads(file.read_text()) == before
    assert "objects of lab labsite" in capsys.readouterr().out


def test_realistic_is_asked_for_by_option_or_by_the_stack_file(
    site: SiteStack, places: Places
) -> None:
    lab, _ = lab_process.start(site, places, realistic=True)
    assert lab_control.ask(lab, "status")["realistic"] is True
    lab_process.stop(site, places)
    lab, _ = lab_process.start(site, places)
    status = lab_control.ask(lab, "status")
    assert (status["realistic"], status["cloneSeconds"]) == (False, 0.0)
