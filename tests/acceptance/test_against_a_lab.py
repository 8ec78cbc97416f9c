"""The acceptance run itself, against a lab that is served by a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.site import Broom, Site, differences, inventory
from tests.conformance.endpoint import Access
from tests.conformance.test_conformance import SEED
from tests.lab.program import Program
from tests.lab.served import ServedLab

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.wire


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    started = Program(tmp_path, seed=json.dumps(SEED))
    yield started
    started.end(signal.SIGTERM)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    served = ServedLab(tmp_path, SEED)
    yield served
    served.close()


def _accept(program: Program, *options: str) -> subprocess.CompletedProcess[str]:
    endpoint = program.ready()["endpoint"]
    names = ("PROXMOX_VE_", "PRACTICUM_ACCEPTANCE_", "PRACTICUM_CONFORMANCE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    return subprocess.run(
        [
            str(ROOT / "practicum"), "test", "acceptance", "--endpoint", endpoint,
            "--ca-file", str(program.state / "ca.pem"), *options,
        ],
        env={**kept, "PROXMOX_VE_PASSWORD": (program.state / "password").read_text()},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def test_a_run_in_other_numbers_passes_and_leaves_nothing(program: Program) -> None:
    done = _accept(program, "--vmids", "71000", "-k", "sources")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout


def test_without_an_endpoint_the_run_says_what_to_type() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRACTICUM_ACCEPTANCE")}
    done = subprocess.run(
        [str(ROOT / "practicum"), "test", "acceptance", "-k", "stage"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "./practicum test acceptance --endpoint https://HOST:8006" in done.stdout


def test_what_a_broken_run_leaves_is_told_and_swept_and_nothing_else(lab: ServedLab) -> None:
    site = Site(
        url=f"https://127.0.0.1:{lab.server.port}",
        access=Access(token=(lab.state / "token").read_text()),
        ca_file=str(lab.state / "ca.pem"),
    )
    endpoint = site.open()
    before = inventory(endpoint, site.storage)
    for vmid in ("40007", "100"):
        lab.finish(lab.call("POST", "nodes/pve2/qemu", vmid=vmid, scsi0="local:1").ok())
    lab.call("POST", "pools", poolid=site.pool).ok()
    lab.call("POST", "cluster/firewall/groups", group="practicum-co").ok()
    lab.call("POST", "cluster/firewall/groups/practicum-co", type="in", action="DROP").ok()
    Broom(site, endpoint, before).sweep()
    assert differences(before, inventory(endpoint, site.storage)) == [
        "guest pve2/qemu/100: left behind",
        "volume pve2 local:100/vm-100-disk-0.raw: left behind",
    ]
    endpoint.close()
