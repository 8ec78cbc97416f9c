"""A local Command through the real engine: what runs when, and what the state keeps."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.toolchain.command.stack import Stack

pytestmark = pytest.mark.engine

SECRET = "correct-horse-battery"  # the value that must not be seen


def counts(text: str) -> dict[str, int]:
    """The engine's summary: how many resources were created, updated, replaced, unchanged."""
    return {
        word: int(number)
        for number, word in re.findall(r"^\s+(?:[^\w\s]+ ?)?(\d+) ([a-z]+)", text, re.M)
    }


def test_a_command_runs_once_and_only_a_change_runs_it_again(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it, log = stack(), tmp_path / "log"
    it.command(create=f"echo created >> {log}; cat {log}")
    assert "touched" not in it.preview()
    assert not log.exists(), "a preview runs nothing"
    assert counts(it.up())["created"] == 2
    assert it.outputs()["it"] == "created"
    assert counts(it.up()) == {"unchanged": 2}
    it.command(create=f"echo created >> {log}; cat {log}", environment={"COLOUR": "green"})
    assert counts(it.up())["updated"] == 1
    assert it.outputs()["it"] == "created\ncreated", "without update, create runs again"
    it.command(create="exit 1", update=f'echo "$PULUMI_COMMAND_STDOUT" | tail -1; echo u >> {log}')
    it.up()
    assert it.outputs()["it"] == "created"
    assert log.read_text() == "created\ncreated\nu\n"


def test_changed_triggers_replace_and_the_old_delete_runs(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it, log = stack(), tmp_path / "log"
    for trigger in ("one", "two"):
        it.command(
            create=f"echo create {trigger} >> {log}; echo {trigger}",
            update=f"echo update >> {log}",
            delete=f"echo delete $PULUMI_COMMAND_STDOUT >> {log}",
            triggers=[trigger, 3, {"deep": trigger}],
        )
        text = it.up()
    assert counts(text)["replaced"] == 1
    assert log.read_text().split("\n") == ["create one", "create two", "delete one", ""]
    it.destroy()
    assert log.read_text().endswith("delete two\n")
    assert it.state() == {}


def test_a_failed_create_is_not_in_the_state_and_says_why(stack: Callable[[], Stack]) -> None:
    it = stack()
    it.command(create="echo before; echo the reason >&2; exit 3")
    text = it.failing_up()
    assert "exit status 3" in text
    assert "the reason" in text
    assert it.state() == {}


def test_a_failed_delete_keeps_the_resource(stack: Callable[[], Stack], tmp_path: Path) -> None:
    it, way = stack(), tmp_path / "way"
    it.command(create="true", delete=f"test -e {way}")
    it.up()
    it.declare([])
    it.failing_up()
    assert set(it.state()) == {"it"}
    way.touch()
    it.up()
    assert it.state() == {}


def test_stdin_environment_dir_and_interpreter_reach_the_command(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it = stack()
    it.command(
        create="import os,sys; print(os.getcwd(), sys.stdin.read(), os.environ['COLOUR'])",
        stdin="from stdin",
        environment={"COLOUR": "green"},
        dir=str(tmp_path),
        interpreter=["python", "-c"],
    )
    it.up()
    assert it.outputs()["it"] == f"{tmp_path} from stdin green"


def test_secrets_stay_secret_in_previews_messages_and_state(stack: Callable[[], Stack]) -> None:
    it = stack()
    args = {"create": "cat; echo seen: $(cat) $KEY >&2", "environment": {"KEY": {"secret": SECRET}}}
    it.command(**args, stdin={"secret": f"{SECRET}\n"})
    said = [it.preview(), it.up()]
    assert it.outputs()["it"] == SECRET, "the command did get it"
    it.command(**args, stdin={"secret": f"{SECRET}-changed\n"})
    said += [it.preview(), it.up()]
    it.command(create="cat; echo $PULUMI_COMMAND_STDOUT; exit 1", stdin={"secret": SECRET})
    said.append(it.failing_up())
    assert not [text for text in said if SECRET in text]
    assert "[secret]" in said[-1]
    assert SECRET not in it.kept()


def test_a_command_without_secrets_has_open_outputs(stack: Callable[[], Stack]) -> None:
    it = stack()
    it.command(create="echo open; echo also >&2")
    it.up()
    outputs = it.state()["it"]["outputs"]
    assert (outputs["stdout"], outputs["stderr"]) == ("open", "also")


def test_files_come_back_as_assets_and_as_an_archive(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it, folder = stack(), tmp_path / "made"
    folder.mkdir()
    it.command(
        create="mkdir -p deep; echo a > a.txt; echo b > deep/b.txt; echo c > deep/secret.txt",
        dir=str(folder),
        asset_paths=["**.txt", "!**secret*"],
        archive_paths=["deep/**"],
    )
    it.up()
    outputs = it.state()["it"]["outputs"]
    assert set(outputs["assets"]) == {"a.txt", "deep/b.txt"}
    assert outputs["assets"]["a.txt"]["path"] == f"{folder}/a.txt"
    assert set(outputs["archive"]["assets"]) == {"deep/b.txt", "deep/secret.txt"}
    assert counts(it.up()) == {"unchanged": 2}


def test_very_long_lines_and_output_pass_through(stack: Callable[[], Stack]) -> None:
    it = stack()
    it.command(create="head -c 300000 /dev/zero | tr '\\0' x")
    it.up()
    assert len(it.outputs()["it"]) == 300_000
    it.command(create="echo ${PULUMI_COMMAND_STDOUT-unset}")
    assert "too long for a variable" in it.up()
    assert it.outputs()["it"] == "unset"


def test_a_mistake_in_the_inputs_is_named_before_anything_runs(stack: Callable[[], Stack]) -> None:
    it = stack()
    it.command(create="true", logging="loud")
    text = it.failing_up()
    assert "logging" in text
    assert "stdoutAndStderr" in text


def test_the_function_runs_in_every_preview_and_update(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it, log = stack(), tmp_path / "log"
    args = {"command": f"echo run >> {log}; cat", "stdin": "in"}
    it.declare([{"name": "it", "type": "local.run", "args": args}])
    it.preview()
    it.up()
    assert it.outputs()["it"] == "in"
    assert log.read_text() == "run\nrun\n"


def test_refresh_changes_nothing(stack: Callable[[], Stack]) -> None:
    it = stack()
    it.command(create="echo once")
    it.up()
    done = it.pulumi("refresh", "--yes", "--skip-preview")
    assert done.code == 0, done.text
    assert counts(it.up()) == {"unchanged": 2}


def test_values_that_only_an_update_knows_pass_a_preview(stack: Callable[[], Stack]) -> None:
    it = stack()
    known = {"stdout": "first"}
    second: dict[str, object] = {"create": "cat; echo $A", "stdin": known}
    second |= {"environment": {"A": known}, "triggers": [known]}
    for text in ("one", "two"):
        first = {"create": f"echo {text}"}
        it.declare([
            {"name": "first", "type": "local.Command", "args": first},
            {"name": "second", "type": "local.Command", "args": second},
        ])  # fmt: skip
        it.preview()
        it.up()
        assert it.outputs()["second"] == f"{text}{text}"


def test_an_interrupted_update_stops_the_command_and_what_it_started(
    stack: Callable[[], Stack], tmp_path: Path
) -> None:
    it, pids = stack(), tmp_path / "pids"
    it.command(create=f"sleep 300 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait")
    with it.start("up", "--yes", "--skip-preview") as update:
        wait_until(pids.exists)
        update.send_signal(signal.SIGINT)
        said, _ = update.communicate(timeout=60)
    assert update.returncode != 0
    assert "cancelled" in said
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split()))
    assert it.state() == {}


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait up to 60 s for something to hold."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("not within 60 s")
