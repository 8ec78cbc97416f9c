"""The verbs `disk` and `console` before anything is touched: names, words, guests that run."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from event.problems import RunError
from event.stack import EventStack
from operate import console as console_verb
from operate.disk import verb as disk_verb
from operate.disk.ways import Done
from operate.places import Places
from operate.progress import telling
from plan.plan import plan_event

TOLD = telling(json_events=False)


class Site:
    """A session at a site whose guests are as a test says."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows, self.typed = rows, "demo"

    def api(self) -> Any:
        return SimpleNamespace(get=lambda _path, **_query: self._rows)


class Files:
    """A way to a guest's files that notes what is asked of it."""

    def __init__(self, answer: Done) -> None:
        self.answer, self.asked = answer, list[tuple[list[str], bytes]]()

    def work(self, words: Any, given: bytes) -> Done:
        self.asked.append((list(words), given))
        return self.answer

    def shell(self, words: Any) -> int:
        self.asked.append((["shell", *words], b""))
        return 7


@pytest.fixture
def at(stack: EventStack, places: Places, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the site has of the event's first guest, and gives back the guest."""

    def has(status: str | None) -> Any:
        guest = plan_event(stack).guests[0]
        row = {"vmid": guest.vmid, "node": "pve02", "status": status}
        site = Site([row] if status else [])
        for module in (console_verb, disk_verb):
            monkeypatch.setattr(module, "session_for_asking", lambda *_: site)
        return guest

    return has


def test_a_guest_that_runs_has_its_files_for_itself(
    at: Any, stack: EventStack, places: Places
) -> None:
    guest = at("running")
    with pytest.raises(RunError, match=r"is running: its files .*practicum console demo c01-head$"):
        disk_verb.disk(stack, guest.name, "ls", [], places, TOLD)


def test_a_guest_that_is_not_there_has_neither(at: Any, stack: EventStack, places: Places) -> None:
    guest = at(None)
    with pytest.raises(RunError, match="is not at the site"):
        disk_verb.disk(stack, guest.name, "ls", [], places, TOLD)


def test_a_wrong_action_is_told_with_the_nearest(
    at: Any, stack: EventStack, places: Places
) -> None:
    guest = at("stopped")
    with pytest.raises(RunError, match="disk cannot gett; did you mean get"):
        disk_verb.disk(stack, guest.name, "gett", [], places, TOLD)
    with pytest.raises(RunError, match="has no cluster c99"):
        disk_verb.disk(stack, "c99/n1", "ls", [], places, TOLD)


@pytest.mark.parametrize(
    ("action", "words"), [("get", []), ("put", ["a"]), ("edit", []), ("ls", ["a", "b"])]
)
def test_a_wrong_number_of_words_is_told_with_the_usage(action: str, words: list[str]) -> None:
    files = Files(Done(code=0))
    with pytest.raises(RunError, match=rf"type: \./practicum disk STACK NODE {action} "):
        disk_verb.Work(files, "c07-n2").do(action, words)
    assert files.asked == []


def test_what_a_host_refuses_is_told_in_its_last_words() -> None:
    files = Files(Done(code=1, errors="Connection to host\n/etc/fstab: No such file\n"))
    with pytest.raises(RunError, match=r"^c07-n2: /etc/fstab: No such file$"):
        disk_verb.Work(files, "c07-n2").do("get", ["/etc/fstab"])


def test_a_shell_ends_with_its_own_code() -> None:
    files = Files(Done(code=0))
    assert disk_verb.Work(files, "c07-n2").do("shell", ["false"]) == 7
    assert files.asked == [(["shell", "false"], b"")]


def test_a_console_needs_a_terminal_and_a_guest_that_runs(
    at: Any, stack: EventStack, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = at("stopped")
    monkeypatch.setattr(os, "isatty", lambda _descriptor: False)
    with pytest.raises(RunError, match="a console needs a terminal"):
        console_verb.console(stack, guest.name, places, TOLD)
    monkeypatch.setattr(os, "isatty", lambda _descriptor: True)
    with pytest.raises(RunError, match="is off, and so is its console"):
        console_verb.console(stack, guest.name, places, TOLD)
