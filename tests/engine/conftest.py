"""Practice grounds of the engine tier; the engine is found or built once for all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.practice import ROOT, Practice


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Version of the engine that the command line will use."""
    home = tmp_path_factory.mktemp("engine-home")
    done = subprocess.run(
        [sys.executable, "-m", "toolchain", "ensure", "--json", "--home", str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["version"])


@pytest.fixture(scope="module")
def practice(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice ground of one module's own; its tests build on one another, in order."""
    ground = Practice(Path(tmp_path_factory.mktemp("practice")))
    yield ground
    ground.close()
