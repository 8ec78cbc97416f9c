"""Scenarios of calls with the answers of Proxmox VE, replayed against a lab of three hosts.

Ours are in `scenarios/` beside this file: calls that we made up, with answers that follow from
reading Proxmox VE's sources. PRACTICUM_CONFORMANCE names a folder with a further `scenarios/`,
answers that were recorded from the real code; without it those are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.endpoint import Access, Endpoint
from tests.conformance.replay import Replay
from tests.conformance.web import Web
from tests.lab.served import ServedLab

pytestmark = pytest.mark.conformance
OURS = Path(__file__).parent / "scenarios"
FOLDER = os.environ.get("PRACTICUM_CONFORMANCE", "")
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


def scenarios(folder: str | Path) -> list[Any]:
    """Every scenario in a folder, as a parameter of its own."""
    found = sorted(Path(folder).glob("*.json")) if folder else []
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    served = ServedLab(tmp_path_factory.mktemp("lab"), SEED)
    password = (served.state / "password").read_text().strip()
    url = f"https://127.0.0.1:{served.server.port}"
    endpoint = Endpoint(url, Access(password=password), str(served.state / "ca.pem"))
    try:
        with Web() as web:
            yield Replay(endpoint, web=web.address)
    finally:
        endpoint.close()
        served.close()


def _told(replay: Replay, scenario: Path) -> str:
    return "\n".join(str(fault) for fault in replay.play(scenario))


@pytest.mark.parametrize("scenario", scenarios(OURS))
def test_the_lab_answers_as_the_sources_say(replay: Replay, scenario: Path) -> None:
    assert _told(replay, scenario) == ""


@pytest.mark.skipif(not FOLDER, reason="PRACTICUM_CONFORMANCE names no folder of scenarios")
@pytest.mark.parametrize("scenario", scenarios(FOLDER and Path(FOLDER, "scenarios")))
def test_the_lab_answers_as_the_real_code_did(replay: Replay, scenario: Path) -> None:
    assert _told(replay, scenario) == ""
