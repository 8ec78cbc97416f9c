"""Recorded answers of the real API code, replayed against the lab.

Runs when PRACTICUM_CONFORMANCE names the folder that holds `conformance.py` and `scenarios/`.
Scenarios about what the lab does not have yet are listed here, so that a new one is noticed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.served import ServedLab

FOLDER = os.environ.get("PRACTICUM_CONFORMANCE", "")
ABSENT: dict[str, str] = {}
SEED: dict[str, Any] = {
    "cluster": "lab",
    "nodes": [
        {"name": f"pve{n}", "cores": 8, "memoryMib": 16384, "address": f"127.0.0.{n}"}
        for n in (1, 2, 3)
    ],
    "storages": [
        {
            "id": "local",
            "type": "dir",
            "path": "/var/lib/vz",
            "content": ["iso", "vztmpl", "backup", "snippets", "images", "rootdir"],
            "sizeGib": 200,
        }
    ],
}


def scenarios() -> list[Any]:
    found = sorted(Path(FOLDER, "scenarios").glob("*.json")) if FOLDER else []
    return [
        pytest.param(
            path,
            id=path.stem,
            marks=[pytest.mark.xfail(reason=f"the lab has no {ABSENT[path.stem]}", strict=True)]
            if path.stem in ABSENT
            else [],
        )
        for path in found
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLab]:
    served = ServedLab(tmp_path_factory.mktemp("lab"), SEED)
    yield served
    served.close()


@pytest.mark.conformance
@pytest.mark.skipif(not FOLDER, reason="PRACTICUM_CONFORMANCE names no folder of scenarios")
@pytest.mark.parametrize("scenario", scenarios())
def test_the_lab_answers_as_the_real_code_did(recorded: ServedLab, scenario: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            str(Path(FOLDER, "conformance.py")),
            "run",
            "--endpoint",
            f"https://127.0.0.1:{recorded.server.port}",
            "--web",
            "127.0.0.1:18485",
            str(scenario),
        ],
        env={**os.environ, "PVE_PASSWORD": (recorded.state / "password").read_text()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
