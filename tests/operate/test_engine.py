"""Runs of the engine: events as they come, interrupts, logs, and its words in ours."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from event.problems import RunError
from operate.engine import Engine, StackRef
from operate.engine_errors import explain, explain_log, last_words
from operate.event_log import Event, Summary
from operate.places import Places

ENGINE = """\
import json, os, signal, sys, time
arguments = sys.argv[1:]
if arguments[0] == "stack":
    print(os.environ.get("SAYS", ""), file=sys.stderr)
    sys.exit(int(os.environ.get("CODE", "0")))
log = open(arguments[arguments.index("--event-log") + 1], "a", buffering=1)
interrupts = []
def interrupt(*_):
    interrupts.append(1)
    print("interrupt", len(interrupts), flush=True)
signal.signal(signal.SIGINT, interrupt)
print("started", json.dumps(arguments), os.environ["PULUMI_DEBUG_COMMANDS"], flush=True)
mode = os.environ.get("MODE", "")
end = time.monotonic() + 20
while mode and time.monotonic() < end:
    if mode == "polite" and interrupts:
        print("ending", os.path.exists(os.environ["PRACTICUM_ENDING"]), flush=True)
        break
    if mode == "second" and len(interrupts) > 1:
        sys.exit(255)
    time.sleep(0.01)
print(json.dumps({"summaryEvent": {"durationSeconds": 1, "resourceChanges": {}}}), file=log)
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A program that stands for pulumi."""
    path = tmp_path / "pulumi"
    path.write_text(f"#!{sys.executable}\n{ENGINE}")
    path.chmod(0o755)
    return path


def engine(fake: Path, places: Places, config_file: Path | None = None, **variables: str) -> Engine:
    stack = StackRef(
        name="event",
        path=places.stacks / "x",
        project=places.root,
        outside=config_file is not None,
        config_file=config_file,
    )
    return Engine(fake, places.make(), stack, {**os.environ, **variables})


def interrupt(places: Places, times: int = 1) -> None:
    """Interrupt us once the engine has started, and again when it has seen it."""

    def send() -> None:
        for number in range(times):
            awaited = f"\ninterrupt {number}\n" if number else "started "
            while not any(awaited in log.read_text() for log in places.logs.glob("*/*.log")):
                time.sleep(0.02)
                if number == 2:
                    break  # the deaf one is told nothing more
            time.sleep(0.3 if number == 2 else 0)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()


def test_a_run_hands_on_events_and_keeps_private_logs(fake: Path, places: Places) -> None:
    events: list[Event] = []
    finished = engine(fake, places).follow("up", ["--yes"], events.append)
    assert finished.ok
    assert events == [Summary(changes={}, seconds=1, result="")]
    text = finished.log.read_text()
    assert '"up", "--stack", "event"' in text
    assert "--config-file" not in text
    for path in finished.log.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_outside_stacks_is_named_to_the_engine(fake: Path, places: Places) -> None:
    finished = engine(fake, places, Path("/x/Pulumi.event.yaml")).follow("up", [], print)
    assert '"--config-file", "/x/Pulumi.event.yaml"' in finished.log.read_text()


def test_the_first_interrupt_lets_the_engine_finish(fake: Path, places: Places) -> None:
    told: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    interrupt(places)
    finished = engine(fake, places, MODE="polite").follow(
        "up", [], lambda _: None, on_interrupt=told.append
    )
    assert (finished.code, finished.interrupted, finished.ok) == (0, True, False)
    assert told == [1]
    assert finished.log.read_text().count("\ninterrupt ") == 1
    assert "\nending True" in finished.log.read_text()  # what guests that wait look for
    assert not list(finished.log.parent.glob("*.ending"))
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_makes_the_engine_give_up(fake: Path, places: Places) -> None:
    told: list[int] = []
    interrupt(places, times=2)
    finished = engine(fake, places, MODE="second").follow(
        "up", [], lambda _: None, on_interrupt=told.append
    )
    assert (finished.code, finished.interrupted) == (255, True)
    assert told == [1, 2]


def test_the_third_interrupt_kills_an_engine_that_does_not_listen(
    fake: Path, places: Places
) -> None:
    interrupt(places, times=3)
    finished = engine(fake, places, MODE="deaf").follow("up", [], lambda _: None)
    assert finished.code == -signal.SIGKILL
    assert finished.interrupted


def test_a_bug_of_ours_does_not_leave_the_engine_behind(fake: Path, places: Places) -> None:
    def fail(_: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine(fake, places).follow("up", [], fail)


def test_old_logs_are_removed_with_their_events(fake: Path, places: Places) -> None:
    folder = places.make().logs / "event"
    folder.mkdir()
    for number in range(50):
        (folder / f"2020-01-01-{number:06}-up.events.jsonl").touch()
        (folder / f"2020-01-01-{number:06}-up.log").touch()
    engine(fake, places).follow("up", [], lambda _: None)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 82
    assert names[0].startswith("2020-01-01-000010")


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (
            "error: the stack is currently locked by 1 lock(s). Either wait for the other "
            "process(es) to end or delete the lock file with `pulumi cancel`.\n  file:///b/x.json: "
            "created by ada@host (pid 77) at 2026-11-25T16:00:00Z",
            "event: another run is in progress (by ada@host, process 77, since "
            "2026-11-25T16:00:00Z); wait for it, or if it is dead type: ./practicum unlock event",
        ),
        ("error: incorrect passphrase", "event: the secrets in its stack file or state were"),
        ("error: write /x: no space left on device", "no disk space is left for the engine's"),
        ("error: no stack named 'event' found", "event: nothing is deployed; type: ./practicum up"),
        ("error: something\nelse", "something\nelse"),
        ("", "event: the engine failed without a word"),
    ],
)
def test_the_engines_words_become_ours(fake: Path, places: Places, said: str, ours: str) -> None:
    with pytest.raises(RunError) as caught:
        engine(fake, places, SAYS=said, CODE="255").told("stack", "x")
    assert str(caught.value).startswith(ours)
    assert explain(said, "event").startswith(ours)


def test_last_words_begin_at_the_first_error() -> None:
    log = "Updating\n + a created\nerror: no\n  more\n"
    assert last_words(log) == "error: no\n  more"
    assert last_words("a\nb\nc\nd\n") == "b\nc\nd"
    assert last_words("") == ""


def test_a_full_disk_is_found_anywhere_in_the_engines_log() -> None:
    log = "Updating\npanic: write /x: no space left on device\ngoroutine 1\n main.go:3\n"
    assert explain_log(log, "event").startswith("no disk space is left")
    assert explain_log("Updating\npanic: nil\nmain.go:3\n", "event") == "panic: nil\nmain.go:3"
