"""Compiling: what is finished stays, what fails says why, what is killed leaves nothing half."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from toolchain import build, compiler, golang, pins, places, progress
from toolchain.problems import ToolchainError

from .conftest import Machine

Calls = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the pause before them."""
    monkeypatch.setattr(compiler, "RETRY_S", 0.0)


def _build(machine: Machine, targets: Sequence[pins.Target] = pins.TARGETS) -> None:
    build.build(machine.cache, targets, say=machine.say)


def test_a_whole_set_is_compiled_and_put_in_place(machine: Machine) -> None:
    machine.put_go()
    _build(machine)
    files = {
        path.relative_to(machine.cache.set).as_posix()
        for path in machine.cache.set.rglob("*")
        if path.is_file() and path.parent.name not in {"logs", "built"}
    }
    assert files == {
        "bin/pulumi",
        "bin/pulumi-language-python",
        "bin/pulumi-language-python-exec",
        "plugins/resource-command-v1.2.1/pulumi-resource-command",
        "plugins/resource-proxmoxve-v8.6.0/pulumi-resource-proxmoxve",
    }
    assert all((machine.cache.set / name).stat().st_mode & 0o111 for name in files)


def test_a_complete_set_is_not_touched_again(machine: Machine, calls: Calls) -> None:
    machine.put_go()
    _build(machine)
    before = calls()
    _build(machine)
    assert calls() == before


def test_force_compiles_everything_again(machine: Machine, calls: Calls) -> None:
    machine.put_go()
    _build(machine)
    before = len([line for line in calls() if line.startswith("build")])
    build.build(machine.cache, force=True, say=machine.say)
    assert len([line for line in calls() if line.startswith("build")]) == 2 * before


def test_every_line_of_progress_has_the_place_and_an_estimate(machine: Machine) -> None:
    machine.put_go()
    _build(machine)
    assert machine.lines[2].startswith("building pulumi 3.259.0 (3 of 4), 0s of about ")


def test_after_a_failure_the_finished_parts_are_kept(machine: Machine, calls: Calls) -> None:
    machine.put_go(broken=pins.ENGINE.package, says="pkg/x.go:3:2: undefined: y")
    with pytest.raises(ToolchainError):
        _build(machine)
    assert [target.folder for target in build.missing(machine.cache, pins.TARGETS)] == [
        "pulumi",
        "proxmoxve",
    ]
    machine.log.unlink()
    machine.put_go(broken="")
    _build(machine)
    assert not any(pins.LANGUAGE_HOST.package in line for line in calls())


def test_a_compile_error_names_the_log_and_shows_the_last_lines(machine: Machine) -> None:
    machine.put_go(fail="x.go:3:2: undefined: y", always="1")
    with pytest.raises(ToolchainError) as caught:
        _build(machine, [pins.ENGINE])
    text = str(caught.value)
    assert "pulumi 3.259.0 does not compile" in text
    assert "  x.go:3:2: undefined: y" in text
    assert str(machine.cache.logs / "pulumi.log") in text
    assert "undefined: y" in (machine.cache.logs / "pulumi.log").read_text()


def test_a_compile_error_is_not_tried_again(machine: Machine, calls: Calls) -> None:
    machine.put_go(fail="x.go:3:2: undefined: y", always="1")
    with pytest.raises(ToolchainError):
        _build(machine, [pins.ENGINE])
    assert len([line for line in calls() if line.startswith("build")]) == 1


@pytest.mark.parametrize(
    "says",
    [
        "verifying module: example.org/x@v1.0.0: reading https://sums.invalid/lookup: 500 Oops",
        "example.org/x@v1.0.0: unexpected EOF",
        "read tcp 127.0.0.1:1: connection reset by peer",
    ],
)
def test_a_download_that_fails_once_is_tried_again(machine: Machine, says: str) -> None:
    machine.put_go(fail=says)
    _build(machine, [pins.ENGINE])
    assert any("a download failed, trying again (2)" in line for line in machine.lines)
    assert machine.cache.is_built(pins.ENGINE)


@pytest.mark.parametrize(
    "says",
    [
        "dial tcp: lookup modules.invalid: no such host",
        "dial tcp 127.0.0.1:443: connect: connection refused",
        "dial tcp 192.0.2.1:443: i/o timeout",
    ],
)
def test_without_a_network_the_message_says_so(machine: Machine, calls: Calls, says: str) -> None:
    machine.put_go(fail=says, always="1")
    with pytest.raises(ToolchainError, match=r"no network: .*set GOPROXY") as caught:
        _build(machine, [pins.ENGINE])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len([line for line in calls() if line.startswith("build")]) == 3


def test_a_disk_that_fills_up_is_named(machine: Machine) -> None:
    machine.put_go(fail="write /tmp/x: no space left on device", always="1")
    with pytest.raises(ToolchainError, match="the disk is full"):
        _build(machine, [pins.ENGINE])


def test_too_little_space_is_refused_before_the_start(
    machine: Machine, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put_go()
    usage = shutil.disk_usage(machine.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=500 << 20))
    with pytest.raises(ToolchainError, match=r"needs about \d+ MiB below .*, 500 MiB are free"):
        _build(machine)
    assert calls() == []


def test_an_interrupted_build_leaves_no_process_and_no_half_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put_go(slow="30")

    def interrupt(_: progress.Progress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "tick", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _build(machine, [pins.ENGINE])
    started = int(Path(f"{machine.log}.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)
    assert not machine.cache.is_built(pins.ENGINE)
    assert not list(machine.cache.work.iterdir())


def test_rubbish_of_a_killed_build_is_removed(machine: Machine) -> None:
    machine.put_go()
    (machine.cache.work / "pulumi-1").mkdir(parents=True)
    _build(machine, [pins.COMMAND.target])
    assert not (machine.cache.work / "pulumi-1").exists()


def test_an_unchanged_target_is_taken_from_another_set(machine: Machine, calls: Calls) -> None:
    machine.put_go()
    _build(machine)
    machine.log.unlink()
    newer = places.Cache(root=machine.cache.root, digest="fedcba9876543210")
    build.build(newer, say=machine.say)
    assert calls() == []
    assert not build.missing(newer, pins.TARGETS)


def test_a_changed_target_alone_is_compiled_again(
    machine: Machine, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put_go()
    _build(machine)
    machine.log.unlink()
    mark = machine.cache.mark(pins.COMMAND.target)
    places.write_json(mark, {**places.read_json(mark), "digest": "of other sources"})
    newer = places.Cache(root=machine.cache.root, digest="fedcba9876543210")
    build.build(newer, say=machine.say)
    assert len([line for line in calls() if line.startswith("build")]) == 1


def test_sources_that_change_during_the_run_are_not_mixed(machine: Machine) -> None:
    machine.put_go()
    pins.expected_digest(pins.ENGINE)
    (machine.sources / pins.ENGINE.folder / "main.go").write_text("package other\n")
    with pytest.raises(ToolchainError, match="changed since this run began"):
        _build(machine, [pins.ENGINE])
    assert not machine.cache.is_built(pins.ENGINE)


def test_the_compilers_cache_goes_when_the_set_is_complete(machine: Machine) -> None:
    machine.put_go()
    _build(machine, [pins.ENGINE])
    machine.cache.go_build.mkdir()
    _build(machine, [pins.COMMAND.target])
    assert machine.cache.go_build.is_dir()
    _build(machine)
    assert not machine.cache.go_build.exists()


def test_a_deleted_output_is_made_again(machine: Machine) -> None:
    machine.put_go()
    _build(machine)
    (machine.cache.set / pins.ENGINE.output).unlink()
    assert build.missing(machine.cache, pins.TARGETS) == [pins.ENGINE]
    _build(machine)
    assert machine.cache.is_built(pins.ENGINE)


def test_the_users_module_proxy_is_respected_and_their_habits_are_not(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "https://modules.invalid")
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "plan9")
    machine.put_go()
    go = golang.on_path()
    assert go is not None
    work = progress.Progress(expected_s=[1], say=machine.say)
    env = compiler.Compiler(go=go, cache=machine.cache, progress=work).environment()
    assert env["GOPROXY"] == "https://modules.invalid"
    assert "-mod=readonly" in env["GOFLAGS"]
    assert "GOOS" not in env
    assert (env["GOTOOLCHAIN"], env["CGO_ENABLED"]) == ("local", "0")
    assert Path(env["GOCACHE"]) == machine.cache.go_build
