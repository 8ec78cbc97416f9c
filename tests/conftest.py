"""What several rooms' tests share: the engine, found or built once; and how cases are generated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long a case takes says something about the machine's load, and nothing about the code.
settings.register_profile("practicum", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("practicum")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The toolchain's answer: `pulumi`, `bin`, `version`, `home`, `env`.

    Without an engine the tests are skipped with the toolchain's reason; where CI is set, that is
    a failure, since a build that broke must not go by unseen.
    """
    home = tmp_path_factory.mktemp("engine-home")
    done = subprocess.run(
        [sys.executable, "-m", "toolchain", "ensure", "--json", "--home", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer
    reason = f"no engine: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
