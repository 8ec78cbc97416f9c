"""The pins name a set: every change of them, and nothing else, gives another name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toolchain import pins, versions
from toolchain.problems import ToolchainError

from .conftest import copy_pins

ROOT = pins.SOURCES.parent


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the pin files, to be changed."""
    copy_pins(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go", "more.go", "inner/deep.go"])
def test_a_changed_or_added_pin_file_gives_another_digest(sources: Path, name: str) -> None:
    before = pins.digest_of(pins.ENGINE, sources)
    file = sources / pins.ENGINE.folder / name
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as output:
        output.write("// changed\n")
    assert pins.digest_of(pins.ENGINE, sources) != before


@pytest.mark.parametrize("name", ["README.md", "main_test.go", "testdata/case.json", "notes.txt"])
def test_tests_and_prose_leave_the_digest_alone(sources: Path, name: str) -> None:
    before = pins.digest_of(pins.ENGINE, sources)
    file = sources / pins.ENGINE.folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("anything\n")
    assert pins.digest_of(pins.ENGINE, sources) == before


def test_a_change_in_one_folder_leaves_the_other_targets_alone(sources: Path) -> None:
    before = {target.folder: pins.digest_of(target, sources) for target in pins.TARGETS}
    (sources / "command" / "main.go").write_text("package other\n")
    after = {target.folder: pins.digest_of(target, sources) for target in pins.TARGETS}
    assert [folder for folder in before if before[folder] != after[folder]] == ["command"]


def test_the_digest_does_not_depend_on_where_the_copy_lies(sources: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(sources / pins.ENGINE.folder, other / pins.ENGINE.folder)
    assert pins.digest_of(pins.ENGINE, other) == pins.digest_of(pins.ENGINE, sources)


@pytest.mark.parametrize(
    ("folder", "module", "version"),
    [
        ("pulumi", "github.com/pulumi/pulumi/pkg/v3", pins.ENGINE_VERSION),
        ("pulumi", "github.com/pulumi/pulumi/sdk/v3", pins.ENGINE_VERSION),
        ("language-python", "github.com/pulumi/pulumi/sdk/v3", pins.LANGUAGE_HOST_VERSION),
    ],
)
def test_the_reported_version_is_the_one_in_go_mod(folder: str, module: str, version: str) -> None:
    text = (pins.SOURCES / folder / "go.mod").read_text()
    assert f"{module} v{version}" in text


@pytest.mark.parametrize("plugin", pins.PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_has_the_version_of_its_python_package(plugin: pins.Plugin) -> None:
    wanted = f"pulumi-{plugin.name}=={plugin.version}"
    assert wanted in (ROOT / "requirements.in").read_text()


def test_the_go_bridge_reports_the_same_version() -> None:
    text = (pins.SOURCES / "proxmoxve" / "bridge" / "bridge.go").read_text()
    assert f'Version = "{pins.PROXMOXVE_VERSION}"' in text


def test_the_pinned_wheel_of_go_is_new_enough_for_every_module() -> None:
    from toolchain import golang

    wheel = versions.parse(golang.WHEEL_VERSION)
    assert wheel is not None
    assert wheel >= pins.needed_go()


def test_a_folder_without_go_mod_is_named(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sources / "command" / "go.mod").unlink()
    monkeypatch.setattr(pins, "SOURCES", sources)
    with pytest.raises(ToolchainError, match=r"command/go\.mod is missing"):
        pins.needed_go()
