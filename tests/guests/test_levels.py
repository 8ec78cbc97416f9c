"""A cluster prepared up to the highest level, on guests that really run.

The levels prove themselves: the program's own checks go by SSH over all nodes, write and read in
the shared /home, run an MPI ring and a job of Slurm, and ask Ganglia and Prometheus for every node.
The tests of this module are one story and run in order.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.practice import Practice
from tests.guests.ground import traces
from tests.image.conftest import built

pytestmark = pytest.mark.guests
HOSTS = "/etc/hosts"


@pytest.fixture(scope="module")
def practice(
    images: Path, engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Practice]:
    """An event of a head and two nodes with everything that the exercises ask for."""
    built("--flavour", "exercises")
    practice = Practice(tmp_path_factory.mktemp("levels"))
    practice.edit("lab", "engine: none", "engine: lxc")
    key = str(practice.folder / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = Path(f"{key}.pub").read_text().strip()
    practice.edit(
        "laptop",
        "    vmids:",
        "    contextualize: {level: monitoring, timeZone: Etc/UTC}\n"
        f'    participants: {{sshKeys: ["{public}"]}}\n    vmids:',
    )
    yield practice
    practice.call("lab", "reset", str(practice.file("lab")), "--yes")
    practice.close()


def agent(practice: Practice, method: str, name: str, command: str, **fields: str) -> Any:
    """A call to the agent of a guest."""
    guest = next(each for each in practice.guests() if each["name"] == name)
    path = f"nodes/{guest['node']}/qemu/{guest['vmid']}/agent/{command}"
    return practice.api(method, path, **fields)


def content(practice: Practice, name: str) -> str:
    return str(agent(practice, "GET", name, f"file-read?file={HOSTS}")["content"])


def test_up_ends_with_a_cluster_that_has_passed_every_check(practice: Practice) -> None:
    run = practice.good("up", "laptop")
    assert run.summary["done"] == 3
    done = practice.call("status", str(practice.file("laptop")))
    assert (done.returncode, done.stdout) == (
        0,
        "c01  3 guests run, prepared: monitoring\n1 of 1 are as wanted\n",
    )


def test_the_same_again_runs_nothing_on_any_guest(practice: Practice) -> None:
    asked = [each for each in practice.requests() if each["path"].endswith("/agent/exec")]
    assert practice.good("up", "laptop").changes == {}
    again = [each for each in practice.requests() if each["path"].endswith("/agent/exec")]
    assert again == asked


def test_one_logs_in_to_head_and_nodes_by_the_line_that_up_prints(practice: Practice) -> None:
    socket = str(practice.folder / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSH_AUTH_SOCK", socket)
            until = time.monotonic() + 60
            key = practice.folder / "key"
            while subprocess.run(["ssh-add", "-q", key], check=False).returncode:
                assert time.monotonic() < until
                time.sleep(0.1)
            for node, name in (("c01", "c01-head"), ("c01/n2", "c01-n2")):
                done = practice.call("ssh", str(practice.file("laptop")), node, "hostname")
                assert (done.returncode, done.stdout) == (0, f"{name}\n"), done.stderr
    finally:
        agent.terminate()
        agent.wait()


def test_what_a_participant_changed_stays_until_somebody_says_force(practice: Practice) -> None:
    before = content(practice, "c01-n1")
    assert "c01-head" in before
    agent(practice, "POST", "c01-n1", "file-write", file=HOSTS, content="mine")
    stack = str(practice.file("laptop"))
    done = practice.call("contextualize", stack, "c01")
    assert "1 files that participants have changed are left alone" in done.stdout
    assert content(practice, "c01-n1") == "mine"
    done = practice.call("contextualize", stack, "c01", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(practice, "c01-n1") == before


def test_a_node_that_is_reset_takes_its_place_in_the_cluster_again(practice: Practice) -> None:
    run = practice.run("reset", "laptop", "c01/n1", "--yes")
    assert run.code == 0, run.texts + run.errors
    assert practice.call("status", str(practice.file("laptop"))).returncode == 0


def test_no_secret_of_the_cluster_is_in_what_the_runs_have_left(practice: Practice) -> None:
    done = practice.call("access", str(practice.file("laptop")), "--json")
    canaries = [b"PRIVATE KEY", *(each["password"].encode() for each in json.loads(done.stdout))]
    logs = [
        each
        for each in practice.state.rglob("*")
        if each.is_file()
        and each.suffix in (".log", ".jsonl", ".json", ".attrs")
        and "/guests/" not in str(each)
    ]
    assert logs
    assert [each for each in logs for word in canaries if word in each.read_bytes()] == []


def test_destroy_leaves_no_guest(practice: Practice) -> None:
    practice.good("destroy", "laptop")
    assert [each for each in practice.guests() if not each["template"]] == []
    state = practice.state / "lab" / "lab"
    assert not [each for each in traces(state)["programs"] if "/guests/" in each]
