"""A plugin in the home is found by Pulumi, is whole at any moment, and follows the pins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolchain import home, pins, places

from .conftest import Machine

PLUGIN = pins.COMMAND


@pytest.fixture
def folder(machine: Machine) -> Path:
    """A home, with the plugin compiled in the cache."""
    _compile(machine, "one")
    return machine.root / "home"


def _compile(machine: Machine, content: str) -> None:
    file = machine.put(PLUGIN.executable, content, machine.root / "made" / content)
    places.link_or_copy(file, machine.cache.set / PLUGIN.target.output)
    places.write_json(machine.cache.mark(PLUGIN.target), {"digest": content})


def test_the_folder_has_the_name_that_pulumi_looks_for(folder: Path, machine: Machine) -> None:
    home.install(folder, PLUGIN, machine.cache)
    file = folder / "plugins" / "resource-command-v1.2.1" / "pulumi-resource-command"
    assert file.read_text() == "one"
    assert os.access(file, os.X_OK)
    assert [path.name for path in (folder / "plugins").iterdir()] == ["resource-command-v1.2.1"]


def test_an_installed_plugin_is_current_until_the_pins_change(
    folder: Path, machine: Machine
) -> None:
    assert not home.is_current(folder, PLUGIN, machine.cache)
    home.install(folder, PLUGIN, machine.cache)
    assert home.is_current(folder, PLUGIN, machine.cache)
    _compile(machine, "two")
    assert not home.is_current(folder, PLUGIN, machine.cache)
    home.install(folder, PLUGIN, machine.cache)
    assert home.is_current(folder, PLUGIN, machine.cache)
    assert (folder / "plugins" / PLUGIN.folder / PLUGIN.executable).read_text() == "two"


def test_an_exchanged_plugin_leaves_the_running_one_as_it_was(
    folder: Path, machine: Machine
) -> None:
    home.install(folder, PLUGIN, machine.cache)
    with (folder / "plugins" / PLUGIN.folder / PLUGIN.executable).open() as running:
        _compile(machine, "two")
        home.install(folder, PLUGIN, machine.cache)
        assert running.read() == "one"


def test_a_plugin_that_pulumi_downloaded_is_recognised(folder: Path, machine: Machine) -> None:
    assert not home.has_downloaded(folder, PLUGIN)
    home.install(folder, PLUGIN, machine.cache)
    assert not home.has_downloaded(folder, PLUGIN)
    machine.put(PLUGIN.executable, "", machine.root / "other" / "plugins" / PLUGIN.folder)
    assert home.has_downloaded(machine.root / "other", PLUGIN)


def test_a_half_downloaded_plugin_does_not_count_and_is_repaired(
    folder: Path, machine: Machine
) -> None:
    partial = folder / "plugins" / f"{PLUGIN.folder}.partial"
    machine.put(PLUGIN.executable, "", folder / "plugins" / PLUGIN.folder)
    partial.touch()
    assert not home.has_downloaded(folder, PLUGIN)
    home.install(folder, PLUGIN, machine.cache)
    assert not partial.exists()
    assert home.is_current(folder, PLUGIN, machine.cache)


def test_where_links_are_impossible_the_plugin_is_copied(
    folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    home.install(folder, PLUGIN, machine.cache)
    file = folder / "plugins" / PLUGIN.folder / PLUGIN.executable
    assert (file.read_text(), os.access(file, os.X_OK)) == ("one", True)


def test_a_home_outlives_the_cache(folder: Path, machine: Machine) -> None:
    home.install(folder, PLUGIN, machine.cache)
    (machine.cache.set / PLUGIN.target.output).unlink()
    assert (folder / "plugins" / PLUGIN.folder / PLUGIN.executable).read_text() == "one"
