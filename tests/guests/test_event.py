"""A small event with guests that really run, through the engine: from `up` to nothing left."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.practice import Practice
from tests.guests.ground import DEADLINE_S, traces
from tests.lab.served import Client

pytestmark = pytest.mark.guests
HEAD, NODE = "200101", "200111"


@pytest.fixture
def practice(images: Path, engine: dict[str, Any], tmp_path: Path) -> Iterator[Practice]:
    """The shipped stacks, with a lab that runs guests and an event of one head and one node."""
    practice = Practice(tmp_path / "practice")
    practice.edit("lab", "engine: none", "engine: lxc")
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    yield practice
    practice.close()


def test_an_event_comes_up_for_real_and_leaves_the_machine_as_it_was(practice: Practice) -> None:
    state = practice.state / "lab" / "lab"
    before = traces(state)
    practice.good("up", "laptop")
    places = {str(each["vmid"]): each["node"] for each in practice.guests()}
    for vmid in (HEAD, NODE):
        run(practice, places[vmid], vmid, "test -e /var/lib/cloud/data/result.json")
    assert run(practice, places[HEAD], HEAD, "hostname") == "c01-head\n"
    address = run(practice, places[NODE], NODE, "hostname -I").split()[0]
    run(practice, places[HEAD], HEAD, f"ping -c 1 -W 2 {address}")
    assert practice.good("up", "laptop").changes == {}
    practice.good("destroy", "laptop")
    practice.good("destroy", "lab")
    done = practice.call("lab", "reset", str(practice.file("lab")), "--yes")
    assert done.returncode == 0, done.stderr
    assert not state.exists()
    assert traces(state) == before


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
