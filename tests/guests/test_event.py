"""A small event with guests that really run, through the engine: from `up` to nothing left."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.practice import ROOT, Practice
from tests.guests.ground import traces
from tests.lab.served import Client

pytestmark = pytest.mark.guests
HEAD, NODE = "200101", "200111"
ENGINES = ["auto", "qemu"] if os.environ.get("PRACTICUM_SWEEP") else ["auto"]
DEADLINE_S = 900  # machines by emulation


@pytest.fixture(params=ENGINES)
def chosen(request: pytest.FixtureRequest) -> str:
    """What the site's file says of its lab's engine."""
    return str(request.param)


@pytest.fixture
def practice(
    images: Path, engine: dict[str, Any], tmp_path: Path, chosen: str
) -> Iterator[Practice]:
    """The stacks as shipped, with one node less."""
    practice = Practice(tmp_path / "practice", engine=chosen)
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    yield practice
    practice.close()


def test_the_first_run_ends_with_a_cluster_to_log_in_to_and_leaves_the_machine_as_it_was(
    practice: Practice, chosen: str
) -> None:
    state = practice.state / "lab" / "lab"
    before = traces(state)
    told = practice.call("up", str(practice.file("laptop")))
    assert told.returncode == 0, told.stdout + told.stderr
    (line,) = re.findall(r"^log in: (.*)$", told.stdout, re.MULTILINE)
    assert logged_in(practice, line, "hostname && id -un") == "c01-head\nstudent\n"
    places = {str(each["vmid"]): each["node"] for each in practice.guests()}
    address = run(practice, places[NODE], NODE, "hostname -I").split()[0]
    run(practice, places[HEAD], HEAD, f"ping -c 1 -W 2 {address}")
    assert practice.good("up", "laptop").changes == {}
    practice.edit("lab", f"engine: {chosen}", "engine: none")
    assert practice.call("lab", "stop", str(practice.file("lab"))).returncode == 0
    refused = practice.run("up", "laptop")
    assert refused.code == 1
    made = "lxc" if chosen == "auto" else chosen
    assert f"the 2 guests of this lab were made with the engine {made}" in refused.errors
    practice.edit("lab", "engine: none", f"engine: {chosen}")
    practice.good("destroy", "laptop")
    practice.good("destroy", "lab")
    done = practice.call("lab", "reset", str(practice.file("lab")), "--yes")
    assert done.returncode == 0, done.stderr
    assert not state.exists()
    assert traces(state) == before


def logged_in(practice: Practice, line: str, command: str) -> str:
    """Output of a command in the guest that a line of ours leads into, by the password that
    `access` shows, as somebody would type it in the checkout."""
    shown = practice.call("access", str(practice.file("laptop")), "--json")
    (login,) = json.loads(shown.stdout)
    answer = practice.folder / "password"
    answer.write_text(f"#!/bin/sh\necho '{login['password']}'\n")
    answer.chmod(0o700)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} '{command}'"],
        env={**practice.environment, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(practice: Practice, host: str, vmid: str, script: str) -> str:
    """Output of a script in a guest, as soon as it ends well."""
    folder, agent = practice.state / "lab" / "lab", f"nodes/{host}/qemu/{vmid}/agent"
    trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    token = (folder / "token").read_text().strip()
    client = Client(practice.ports["lab"], trust, {"Authorization": f"PVEAPIToken={token}"})
    told, until = "", time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        answer = client.call("POST", f"{agent}/exec", command=["sh", "-c", script])
        told = answer.reason  # no agent yet
        if answer.status == 200:
            found = {"exited": 0}
            while not found["exited"]:
                time.sleep(0.1)
                found = client.call("GET", f"{agent}/exec-status", pid=answer.data["pid"]).ok()
            if found["exitcode"] == 0:
                client.close()
                return str(found.get("out-data", ""))
            told = str(found)
        time.sleep(0.5)
    raise AssertionError(f"{script}: {told}")
