"""The command line: verbs, exit codes, one clear message for each mistake, and quickness."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from event.problems import RunError
from operate import command_line
from operate.lab_faults import faults_app
from operate.places import ROOT, Places

HEAVY = (
    "pulumi",
    "pulumi_proxmoxve",
    "aiohttp",
    "rich",
    "cryptography",
    "grpc",
)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def practicum(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "operate", *arguments],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("up", "preview", "refresh", "destroy", "plan", "import-two-files", "lab", "test",
                 "bench", "env", "access", "unlock", "pulumi"):  # fmt: skip
        assert re.search(rf"^  {verb} ", text, re.MULTILINE), verb
        assert command_line.run([verb, "--help"]) == 0


@pytest.mark.parametrize("part", [command_line.app, command_line.lab_app, faults_app])
def test_no_verb_is_registered_twice(part: typer.Typer) -> None:
    names = [each.name or each.callback.__name__.replace("_", "-")
             for each in part.registered_commands if each.callback]  # fmt: skip
    assert len(names) > 3
    assert sorted(set(names)) == sorted(names)


def test_wrong_usage_is_two_and_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["frob"], ["up", "--nope"], ["destroy"], ["test", "--tier", "x"]):
        assert command_line.run(arguments) == 2
    text = capsys.readouterr().err
    assert "No such command 'frob'" in text
    assert "practicum" in text
    assert "Traceback" not in text


def test_a_plan_is_told_by_clusters_hosts_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "sc09"]) == 0
    text = capsys.readouterr().out
    assert "26 clusters, 131 guests on 6 hosts of site lab" in text
    assert re.search(r"^c26 +126 +10\.0\.26\.0/24 +198\.51\.100\.36 ", text, re.MULTILINE)
    assert re.search(r"^pve06 ", text, re.MULTILINE)


def test_a_table_has_a_line_for_each_guest(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "sc09", "--table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(bool(re.match(r"c\d\d-(head|n\d) ", line)) for line in lines) == 130


def test_a_plan_as_json_is_the_documented_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "laptop", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [guest["name"] for guest in found["guests"]] == ["c01-head", "c01-n1", "c01-n2"]


def test_sites_are_planned_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "adams-state"]) == 0
    assert "login student-lead@pve: PVEAdmin" in capsys.readouterr().out


def test_two_files_go_out_and_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "laptop", "--two-files", str(tmp_path / "out")]) == 0
    assert command_line.run(["import-two-files", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "practicum:event:" in text
    assert "on: lab" in text


def test_a_missing_file_of_the_two_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(["import-two-files", str(tmp_path)]) == 1
    assert "clusters.txt: cannot be read (No such file or directory)" in capsys.readouterr().err


def test_two_events_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(["plan", "sc09", "--against", "laptop"]) == 0
    assert "cluster c26 is added" in capsys.readouterr().out


def test_an_unknown_stack_is_one_line_with_the_nearest_name() -> None:
    done = practicum("plan", "sc9")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "did you mean sc09?" in done.stderr


def test_mistakes_in_a_file_stop_up_before_anything_is_started(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.wrong.yaml"
    text = (ROOT / "stacks" / "Pulumi.laptop.yaml").read_text()
    path.write_text(text.replace("count: 2,", "count: -2,").replace("on: lab", "on: lap"))
    done = practicum("up", str(path))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("operate.plan_verb.plan", broken)
    with pytest.raises(ZeroDivisionError):
        command_line.run(["plan"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RunError("type something else"), 1, "type something else\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            OSError(28, "No space left on device", "/state/logs/x"),
            1,
            "/state/logs/x: No space left on device; free some space and type the same again\n",
        ),
    ],
)
def test_what_is_foreseen_becomes_a_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("operate.plan_verb.plan", fail)
    assert command_line.run(["plan"]) == code
    assert capsys.readouterr().err == said


def test_a_closed_pipe_ends_quietly() -> None:
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = f'"{sys.executable}" -P -m operate plan sc09 --table | head -1'
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.stderr == ""


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import os, sys; os.environ['PYDANTIC_DISABLE_PLUGINS'] = 'true'; "
        "from operate.command_line import run; run(['plan', 'sc09']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout[-300:] + done.stderr


def test_the_environment_for_a_shell_names_the_tokens_file(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from operate import engine_verbs
    from operate.variables import EngineParts

    parts = EngineParts(
        pulumi=Path("/engine/pulumi"), bin=Path("/engine"), source="built", version="3",
        home=places.pulumi_home,
    )  # fmt: skip
    monkeypatch.setattr(engine_verbs, "ensure_engine", lambda _: parts)
    assert command_line.run(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith('export PROXMOX_VE_API_TOKEN="$(cat ')
    assert not any("PRACTICUM_STACK_FILE" in line for line in lines)
    assert all(line.startswith("export ") for line in lines)
    assert command_line.run(["env", "sc09"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]  # a listed event's own, still in its state
    assert last.startswith('export PROXMOX_VE_API_TOKEN="$(/')
    assert last.endswith('/practicum env sc09 --token)"')
    outside = places.stacks / "Pulumi.labevent.yaml"
    assert command_line.run(["env", str(outside)]) == 0
    text = capsys.readouterr().out
    assert f"export PRACTICUM_STACK_FILE={outside}" in text
    assert f"export PRACTICUM_STACKS={places.stacks}" in text
