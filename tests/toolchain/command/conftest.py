"""The plugin `command`, compiled once from the sources as they are, and stacks that use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.toolchain.command.stack import Stack

ROOT = Path(__file__).resolve().parents[3]
_SOURCES = ROOT / "toolchain" / "command"
_NAME = "pulumi-resource-command"
_BUILD_S = 600


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PULUMI_HOME with only this plugin in it."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go compiler on PATH to build the plugin with")
    home = tmp_path_factory.mktemp("home")
    plugin = home / "plugins" / "resource-command-v1.2.1" / _NAME
    plugin.parent.mkdir(parents=True)
    built = subprocess.run(
        ["nice", go, "build", "-p", "2", "-trimpath", "-o", str(plugin), "."],
        cwd=_SOURCES,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return home


@pytest.fixture(scope="session")
def plugin(plugin_home: Path) -> Path:
    """The plugin's executable."""
    return next(plugin_home.glob(f"plugins/*/{_NAME}"))


@pytest.fixture(scope="session")
def engine_bin() -> Path:
    """The folder of an engine that is there already: on PATH, or built by this project."""
    found = shutil.which("pulumi")
    if found is not None and shutil.which("pulumi-language-python") is not None:
        return Path(found).parent
    asked = subprocess.run(
        [sys.executable, "-m", "toolchain", "status", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(asked.stdout)
    if not all(status["built"].get(part) for part in ("pulumi", "language-python")):
        pytest.skip("no engine: run python -m toolchain build")
    return Path(status["set"]) / "bin"


@pytest.fixture
def stack(plugin_home: Path, engine_bin: Path, tmp_path: Path) -> Callable[[], Stack]:
    """Makes an empty stack."""
    python = Path(sys.executable).parent
    env = {
        "PATH": os.pathsep.join([str(python), str(engine_bin), os.environ.get("PATH", "")]),
        "VIRTUAL_ENV": str(python.parent),
        "PULUMI_HOME": str(plugin_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }
    return lambda: Stack(tmp_path / "stack", env)
