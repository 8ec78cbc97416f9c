"""Verbs that ask a lab which does not run: one message that says what to type, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack
from operate import console, engine_verbs, event_token, status, traffic
from operate.contextualize import verb as contextualize
from operate.disk import verb as disk
from operate.handouts import entry
from operate.places import Places
from operate.progress import PlainTelling
from operate.stacks import load, load_event

TOLD = PlainTelling()
MESSAGE = "lab labsite does not run; type: ./practicum lab start labsite"
ASKING: dict[str, Callable[[EventStack, Places], Any]] = {
    "console": lambda event, places: console.console(event, "c01", places, TOLD),
    "contextualize": lambda event, places: contextualize.contextualize(
        event, [], places, TOLD, force=False
    ),
    "disk": lambda event, places: disk.disk(event, "c01", "ls", [], places, TOLD),
    "status": lambda event, places: status.status(event, places, TOLD, watch=False, as_json=False),
    "traffic": lambda event, places: traffic.traffic(event, None, places, TOLD, as_json=False),
}


@pytest.fixture
def event(places: Places) -> EventStack:
    return load_event("labevent", places)


@pytest.fixture(params=["never started", "stopped"])
def lab(request: pytest.FixtureRequest, places: Places) -> None:
    """The lab of that event, with what one that has run leaves behind."""
    if request.param == "stopped":
        state = places.lab("labsite")
        state.mkdir(parents=True)
        (state / "token").write_text("root@pam!lab=secret")
        (state / "lab.pid").write_text("1")


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("verb", ASKING)
def test_a_verb_that_starts_nothing_says_what_starts_the_lab(
    verb: str, event: EventStack, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    with pytest.raises(RunError) as caught:
        ASKING[verb](event, places)
    assert str(caught.value) == MESSAGE


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("code", [255, 7, 0])
def test_ssh_says_so_when_it_could_not_log_in(
    code: int, event: EventStack, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text(f"#!/bin/sh\nexit {code}\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent))
    session = SimpleNamespace(secret=lambda: "not-a-secret")
    monkeypatch.setattr(entry, "open_session", lambda *_: session)
    if code != 255:
        assert entry.ssh(event, "c01", [], places, TOLD) == code  # a guest of a lab that was killed
        return
    with pytest.raises(RunError) as caught:
        entry.ssh(event, "c01", [], places, TOLD)
    assert str(caught.value) == MESSAGE


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("words", "asks"),
    [
        (["up", "-s", "labevent"], True),
        (["--stack", "labevent", "destroy", "--yes"], True),
        (["refresh", "--stack=labevent"], True),
        (["preview", "-s", "labevent"], False),
        (["config", "set", "-s", "labevent", "name", "up"], False),
    ],
)
def test_pulumi_is_not_started_where_it_would_ask(
    words: list[str], asks: bool, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StartedError(Exception):
        pass

    def start(*_: object) -> None:
        raise StartedError

    monkeypatch.setattr(Places, "of", lambda _: places)
    monkeypatch.setattr(engine_verbs, "_variables", lambda *_: {})
    monkeypatch.setattr(os, "execvpe", start)
    monkeypatch.chdir(places.root)
    with pytest.raises(RunError if asks else StartedError) as caught:
        engine_verbs.pulumi(words)
    assert str(caught.value) == (MESSAGE if asks else "")


def test_a_real_site_has_nothing_to_start(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    session: Any = SimpleNamespace(stack=load("event", places))
    monkeypatch.setattr(event_token, "open_session", lambda *_: session)
    assert event_token.session_for_asking(session.stack, places, TOLD) is session
