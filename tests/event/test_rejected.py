"""Stack files with one mistake each: refused with exactly the message that lies beside them.

A file's message is written anew with PRACTICUM_GOLDEN=write in the environment; read it before it
is committed: somebody must be able to put the mistake right by the message alone.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from event.problems import EventError, Problem
from event.read import EventStack, read_stack
from plan.plan import plan_event, plan_site

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("tests/event/rejected")
SITES = Path("tests/event/accepted")
CASES = sorted(path.stem for path in (ROOT / FOLDER).glob("*.yaml"))
LIMIT_S = 1.0
"""Of processor time; nothing here waits, and a busy machine must not fail the test."""


@pytest.fixture(autouse=True)
def _from_the_root_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in messages start at the root of the project; nothing asks a lab."""

    def refuse(*_: object) -> None:
        raise AssertionError("reading and planning must not open a connection")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


def read_and_plan(name: str) -> None:
    """What `practicum plan` does with a file before it shows anything."""
    stack = read_stack(str(FOLDER / f"{name}.yaml"), SITES)
    if isinstance(stack, EventStack):
        plan_event(stack)
    else:
        plan_site(stack)


def refusal(name: str) -> EventError:
    """The error that reading and planning the case ends with."""
    with pytest.raises(EventError) as caught:
        read_and_plan(name)
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_refused_with_its_message_in_under_a_second(name: str) -> None:
    golden = ROOT / FOLDER / f"{name}.txt"
    start = time.process_time()
    message = f"{refusal(name)}\n"
    took_s = time.process_time() - start
    if os.environ.get("PRACTICUM_GOLDEN") == "write":
        golden.write_text(message, encoding="utf-8")
    assert message == golden.read_text(encoding="utf-8")
    assert took_s < LIMIT_S


@pytest.mark.parametrize("name", CASES)
def test_every_problem_says_where_and_what_to_write(name: str) -> None:
    for problem in refusal(name).problems:
        assert problem.where is not None
        assert problem.hint
        assert is_visible(problem)


def is_visible(problem: Problem) -> bool:
    """Whether a terminal shows the problem as it is: nothing of the file acts on it."""
    return all(line.isprintable() for line in str(problem).split("\n"))


def test_no_message_is_left_without_its_file() -> None:
    messages = {path.stem for path in (ROOT / FOLDER).glob("*.txt")}
    assert messages == set(CASES)


def test_the_corpus_covers_at_least_two_hundred_mistakes() -> None:
    assert len(CASES) >= 200
