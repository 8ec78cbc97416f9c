"""`ensure` takes the first way that works: PATH, then Pulumi's download, then compiling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import ensure, official, pins, places
from toolchain.__main__ import main
from toolchain.problems import ToolchainError

from .conftest import REAL_SOURCES, Machine

Calls = Callable[[], list[str]]


@pytest.fixture
def access(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Callable[[], None]:
    """Call it to make Pulumi's downloads work; they do not before."""

    def fetch(self: official.Official) -> bool:
        machine.put_engine("v3.259.0", self.cache.official_bin)
        return True

    def allow() -> None:
        monkeypatch.setattr(official.Official, "reachable", lambda _: True)
        monkeypatch.setattr(official.Official, "fetch_engine", fetch)

    monkeypatch.setattr(official.Official, "reachable", lambda _: False)
    return allow


@pytest.fixture
def ready(machine: Machine, access: Callable[[], None]) -> Callable[..., ensure.Ready]:
    """`ensure` on the pretended machine."""

    def run(*, only_built: bool = False) -> ensure.Ready:
        home = machine.root / "home"
        return ensure.ensure(home, only_built=only_built, cache=machine.cache, say=machine.say)

    return run


Run = Callable[..., ensure.Ready]


def test_a_usable_engine_on_path_comes_first(
    machine: Machine, ready: Run, access: Callable[[], None], calls: Calls
) -> None:
    access()
    machine.put_go()
    engine = machine.put_engine()
    found = ready()
    assert (found.source, found.pulumi, found.version) == ("path", str(engine), "3.260.0")
    assert found.plugins == {"proxmoxve": "download", "command": "download"}
    assert calls() == []


def test_the_download_comes_second(
    machine: Machine, ready: Run, access: Callable[[], None], calls: Calls
) -> None:
    access()
    machine.put_go()
    machine.put_engine("v3.100.0")
    found = ready()
    assert (found.source, found.bin) == ("download", str(machine.cache.official_bin))
    assert found.version == pins.ENGINE_VERSION
    assert "is 3.100.0, older than 3.215.0; trying Pulumi's own download" in machine.lines[0]
    assert calls() == []


def test_compiling_comes_last(machine: Machine, ready: Run) -> None:
    machine.put_go()
    found = ready()
    assert (found.source, found.bin) == ("built", str(machine.cache.bin))
    assert found.plugins == {"proxmoxve": "built", "command": "built"}
    for plugin in pins.PLUGINS:
        assert (Path(found.home) / "plugins" / plugin.folder / plugin.executable).is_file()


def test_an_engine_on_path_without_access_gets_compiled_plugins_only(
    machine: Machine, ready: Run, calls: Calls
) -> None:
    machine.put_go()
    machine.put_engine()
    found = ready()
    assert (found.source, found.plugins["proxmoxve"]) == ("path", "built")
    assert not any(pins.ENGINE.package in line for line in calls())


def test_on_request_only_compiled_parts_are_used(
    machine: Machine, ready: Run, access: Callable[[], None]
) -> None:
    access()
    machine.put_go()
    machine.put_engine()
    found = ready(only_built=True)
    assert (found.source, found.plugins["proxmoxve"]) == ("built", "built")


def test_a_second_call_downloads_and_compiles_nothing(
    machine: Machine, ready: Run, calls: Calls
) -> None:
    machine.put_go()
    first = ready()
    machine.log.unlink()
    machine.lines.clear()
    assert ready() == first
    assert calls() == []
    assert machine.lines == []


def test_a_second_call_takes_less_than_fifty_milliseconds(machine: Machine, ready: Run) -> None:
    machine.put_go()
    ready()
    pins.expected_digest.cache_clear()
    spans = []
    for _ in range(5):
        began = time.perf_counter()
        places.current(machine.cache.root)
        ready()
        spans.append(time.perf_counter() - began)
    assert min(spans) < 0.05


def test_a_home_that_lost_its_plugin_gets_it_back(machine: Machine, ready: Run) -> None:
    machine.put_go()
    found = ready()
    file = Path(found.home) / "plugins" / pins.COMMAND.folder / pins.COMMAND.executable
    file.unlink()
    ready()
    assert file.is_file()


def test_the_environment_keeps_pulumi_from_downloading_and_from_asking(
    machine: Machine, ready: Run
) -> None:
    machine.put_go()
    found = ready()
    assert found.env == {
        "PULUMI_HOME": found.home,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }


def test_a_language_host_elsewhere_on_path_stays_visible_to_the_users_engine(
    machine: Machine, ready: Run
) -> None:
    machine.put_go()
    machine.put_engine()
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in ready().env


def test_a_home_that_cannot_be_made_is_one_sentence(machine: Machine) -> None:
    blocked = machine.root / "file"
    blocked.touch()
    with pytest.raises(ToolchainError, match="file"):
        ensure.ensure(blocked / "home", cache=machine.cache, say=machine.say)


@pytest.fixture
def command_line(machine: Machine, access: None, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The command line with its cache below the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.root / "xdg"))
    return machine


def test_json_has_the_promised_fields(
    command_line: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line.put_go()
    home = command_line.root / "home"
    assert main(["ensure", "--home", str(home), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"source", "bin", "pulumi", "version", "home", "env", "plugins"}
    assert result["home"] == str(home)
    assert result["pulumi"] == str(Path(result["bin"]) / "pulumi")
    assert str(command_line.root / "xdg" / "practicum" / "toolchain") in result["bin"]


def test_a_problem_is_one_message_and_exit_code_one(
    command_line: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line.put_go(fail="x.go:1: broken", always="1")
    assert main(["build"]) == 1
    shown = capsys.readouterr().err.splitlines()
    assert shown[-2].startswith("toolchain: pulumi-language-python 3.79.0 does not compile; log: ")
    assert shown[-1] == "  x.go:1: broken"


def test_status_changes_nothing_that_matters_and_names_what_is_missing(
    command_line: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line.put_go()
    assert main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "pulumi no" in shown
    assert "no: pulumi is not on PATH" in shown
    assert main(["build"]) == 0
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    assert all(json.loads(capsys.readouterr().out)["built"].values())


def test_a_terminated_build_says_that_it_can_go_on(command_line: Machine) -> None:
    command_line.put_go(slow="30")
    with subprocess.Popen(
        [sys.executable, "-m", "toolchain", "build"], cwd=REAL_SOURCES.parent,
        env=dict(os.environ), text=True, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert "(1 of 4)" in process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
        assert process.wait() == 130
    assert "interrupted; finished parts are kept" in rest
    assert "Traceback" not in rest


def test_the_module_needs_only_the_standard_library() -> None:
    # Isolated, without site-packages: what is not in the standard library cannot be found.
    code = (
        f"import sys; sys.path.insert(0, {str(REAL_SOURCES.parent)!r}); import toolchain.__main__"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
