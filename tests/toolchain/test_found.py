"""The engine on PATH is taken only when it would work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolchain import found
from toolchain.places import Cache

from .conftest import Machine


def test_a_recent_engine_with_a_language_host_is_usable(machine: Machine) -> None:
    engine = machine.put_engine("v3.260.0")
    verdict = found.on_path(machine.cache)
    assert (verdict.pulumi, verdict.version, verdict.usable) == (str(engine), "3.260.0", True)


def test_without_an_engine_the_verdict_says_so(machine: Machine) -> None:
    assert found.on_path(machine.cache).reason == "pulumi is not on PATH"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("v3.214.9", "is 3.214.9, older than 3.215.0"),
        ("v4.0.0", "newer than this program knows"),
        ("what?", "does not tell its version"),
    ],
)
def test_an_engine_of_another_age_is_refused(machine: Machine, version: str, reason: str) -> None:
    machine.put_engine(version)
    verdict = found.on_path(machine.cache)
    assert not verdict.usable
    assert reason in verdict.reason


def test_an_engine_that_fails_is_refused(machine: Machine) -> None:
    machine.put_engine()
    machine.put("pulumi", "#!/bin/sh\nexit 3\n")
    assert "does not tell its version" in found.on_path(machine.cache).reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pulumi-language-python", "has no pulumi-language-python beside it"),
        ("pulumi-language-python-exec", "has no pulumi-language-python-exec beside it"),
    ],
)
def test_an_engine_that_misses_a_part_is_refused(machine: Machine, name: str, reason: str) -> None:
    machine.put_engine()
    (machine.bin / name).unlink()
    assert reason in found.on_path(machine.cache).reason


@pytest.mark.parametrize("text", ["exit 1", "echo cannot start", ":"])
def test_a_language_host_that_does_not_start_is_refused(machine: Machine, text: str) -> None:
    machine.put_engine()
    machine.put("pulumi-language-python", f"#!/bin/sh\n{text}\n")
    assert "does not start" in found.on_path(machine.cache).reason


def test_a_language_host_beside_the_real_engine_is_found_through_a_link(machine: Machine) -> None:
    real = machine.put_engine(folder=machine.root / "opt" / "pulumi")
    (machine.bin / "pulumi").symlink_to(real)
    assert found.on_path(machine.cache).usable


def test_our_own_compiled_engine_on_path_is_not_taken_for_the_users(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.put_engine(folder=machine.cache.bin)
    monkeypatch.setenv("PATH", f"{machine.cache.bin}{os.pathsep}{machine.bin}")
    assert found.on_path(machine.cache) == found.NONE


def test_the_verdict_is_remembered_until_the_files_change(machine: Machine) -> None:
    machine.put_engine("v3.260.0")
    assert found.on_path(machine.cache).usable
    asked = machine.root / "asked"
    text = f"#!/bin/sh\ntouch {asked}\necho v3.100.0\n"
    engine = machine.bin / "pulumi"
    before = engine.stat()
    assert found.on_path(machine.cache).usable
    assert not asked.exists()
    engine.write_text(text)
    os.utime(engine, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert not found.on_path(machine.cache).usable
    assert asked.exists()


def test_asking_writes_nothing_to_the_users_home(machine: Machine, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    machine.put_engine()
    machine.put("pulumi", f'#!/bin/sh\necho "$PULUMI_HOME" > {seen}\necho v3.260.0\n')
    found.on_path(machine.cache)
    assert Path(seen.read_text().strip()).is_relative_to(machine.cache.root)


def test_another_set_of_pins_judges_anew(machine: Machine) -> None:
    machine.put_engine()
    found.on_path(machine.cache)
    other = Cache(root=machine.cache.root, digest="fedcba9876543210")
    assert not (other.set / "path-engine.json").exists()
    assert found.on_path(other).usable
