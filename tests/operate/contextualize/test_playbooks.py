"""Playbooks: what Ansible's plugins ask is carried to guests, and what failed is told by guest."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from event.own_steps import OwnPlaybook
from event.problems import RunError
from operate.contextualize.applier import apply_cluster, lines
from operate.contextualize.playbooks.errand import errand
from operate.contextualize.playbooks.play import (
    MISSING,
    inventory,
    play,
    stop_without_ansible,
    variables,
)
from operate.contextualize.playbooks.relay import Relay
from operate.contextualize.way import LOADER, GuestError, Way
from plan.contextualize.orders import ClusterOrders, Orders, Playbook
from tests.operate.contextualize.guests import FolderApi, agent
from tests.plan.making import planned

# As much of ansible-playbook as there is to our side of it: it asks each guest for one command, and
# plays badly where the command says so.
ANSIBLE = """\
#!{python}
import base64, json, os, socket, sys
inventory = json.load(open(sys.argv[2]))["all"]
def ask(**what):
    with socket.socket(socket.AF_UNIX) as relay:
        relay.connect(os.environ["PRACTICUM_RELAY"])
        relay.sendall(json.dumps(what).encode() + b"\\n")
        return json.loads(relay.makefile().readline())
command = open(sys.argv[-1]).read()
if command.startswith("broken"):
    print("ERROR! the playbook is broken")
    sys.exit(4)
bad = 0
for guest in sys.argv[4].split(","):
    name = inventory["hosts"][guest]["practicum"]["node"]
    answer = ask(do="run", guest=guest, command=command.replace("NODE", name))
    good = answer.get("code") == 0
    if not good:
        why = answer.get("lost") or base64.b64decode(answer["errors"]).decode().strip()
        ask(do="failed", guest=guest, task="the command", why=why)
    ask(do="stats", guest=guest, good=good)
    bad += not good
sys.exit(2 if bad else 0)
"""


class Here(Way):
    """A guest that is this machine: programs run in a Python of their own."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent

    def wait(self) -> None:
        """Nothing is waited for."""

    def run(self, packed: str) -> str:
        """The program's output."""
        if self.silent:
            raise GuestError("silent", "it does not answer")
        command = [sys.executable, "-c", LOADER]
        return subprocess.run(
            command, input=packed, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Ansible on PATH; the folder that it is in."""
    program = tmp_path / "bin/ansible-playbook"
    program.parent.mkdir()
    program.write_text(ANSIBLE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def playbook(folder: Path, command: str) -> Playbook:
    file = folder / "site/main.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(command)
    facts = {
        f"c07-{node}": {"cluster": "c07", "node": node, "nodeGroup": "compute"}
        for node in ("head", "n1")
    }
    return Playbook(name="site/main.yml", path=file, digest=command, facts=facts)


def test_an_errand_runs_with_input_and_tells_both_outputs() -> None:
    data = base64.b64encode(b"\xffin").decode()
    told = errand({"do": "run", "command": "cat; echo no >&2; exit 3", "data": data})
    assert told["code"] == 3
    assert base64.b64decode(told["out"]) == b"\xffin"
    assert base64.b64decode(told["errors"]) == b"no\n"


def test_files_go_to_a_guest_and_come_from_it(tmp_path: Path) -> None:
    file, data = str(tmp_path / "file"), base64.b64encode(b"\x00\xff").decode()
    assert errand({"do": "put", "path": file, "data": data}) == {}
    assert errand({"do": "fetch", "path": file, "start": 0}) == {"data": data}
    assert errand({"do": "fetch", "path": file, "start": 2}) == {"data": ""}


def test_what_cannot_be_done_on_a_guest_is_told_in_words(tmp_path: Path) -> None:
    told = errand({"do": "fetch", "path": str(tmp_path / "absent"), "start": 0})
    assert told["error"].endswith("absent: No such file or directory")


def test_the_relay_answers_for_guests_of_the_cluster_alone(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay", {"c07-head": Here(), "c07-n1": Here(silent=True)})
    with relay:
        assert relay.answer({"do": "run", "guest": "c07-head", "command": "exit 5"})["code"] == 5
        assert "it does not answer" in relay.answer({"do": "run", "guest": "c07-n1"})["lost"]
        assert "none of the cluster's" in relay.answer({"do": "run", "guest": "c01-head"})["lost"]


def test_the_inventory_has_groups_of_clusters_and_nodes(tmp_path: Path) -> None:
    one = playbook(tmp_path, "")
    groups = inventory(one)["all"]["children"]
    assert set(groups) == {"cluster_c07", "nodes_compute"}
    facts = {"cluster": None, "node": "instructor", "nodeGroup": "instructor"}
    found = inventory(replace(one, facts={"instructor": facts}))["all"]
    assert found["children"] == {"nodes_instructor": {"hosts": {"instructor": {}}}}
    assert found["hosts"]["instructor"] == {"practicum": facts}


def test_a_playbook_is_played_on_every_guest(ansible: Path) -> None:
    command = f"echo NODE >>{ansible}/played"
    assert play(playbook(ansible, command), {"c07-head": Here(), "c07-n1": Here()}) == {}
    assert (ansible / "played").read_text() == "head\nn1\n"


def test_what_failed_is_told_by_guest(ansible: Path) -> None:
    one = playbook(ansible, "[ NODE = head ] || { echo no room >&2; exit 1; }")
    assert play(one, {"c07-head": Here(), "c07-n1": Here()}) == {"c07-n1": "the command: no room"}
    found = play(one, {"c07-head": Here(silent=True), "c07-n1": Here()})
    assert "it does not answer" in found["c07-head"]


def test_a_playbook_that_does_not_begin_failed_on_every_guest(ansible: Path) -> None:
    found = play(playbook(ansible, "broken"), {"c07-head": Here(), "c07-n1": Here()})
    assert set(found) == {"c07-head", "c07-n1"}
    assert "ERROR! the playbook is broken" in found["c07-n1"]


def test_without_ansible_there_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert play(playbook(tmp_path, ""), {"c07-head": Here()}) == {"c07-head": MISSING}
    guests = planned(clusters={"count": 1}).guests
    stop_without_ansible(guests)
    own = OwnPlaybook(name="site/main.yml", digest="", path=tmp_path)
    with pytest.raises(RunError, match=r"site/main\.yml needs Ansible: .* type: sudo apt install"):
        stop_without_ansible([replace(each, own_playbooks=(own,)) for each in guests])


def test_no_token_or_secret_of_ours_is_among_ansibles_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PROXMOX_VE_API_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "PRACTICUM_CHECKED"):
        monkeypatch.setenv(name, "canary-51")
    assert "canary-51" not in json.dumps(variables(tmp_path))


def cluster(folder: Path, command: str) -> ClusterOrders:
    one = playbook(folder, command)
    guests = tuple(
        Orders(guest=name, vmid=vmid, level="none", files=(), scripts=(), marks=(one.mark,))
        for vmid, name in enumerate(one.facts, 1)
    )
    return ClusterOrders(cluster="c07", guests=guests, playbooks=(one,))


def test_a_playbook_is_played_once_and_again_where_it_has_changed_or_is_missing(
    ansible: Path,
) -> None:
    apis = {name: FolderApi(ansible / name) for name in ("c07-head", "c07-n1")}

    def apply(command: str) -> Any:
        return apply_cluster(cluster(ansible, command), lambda each: agent(apis[each.guest]))

    first = apply(f"echo NODE >>{ansible}/played")
    assert lines(first) == ["c07: 2 guests prepared; site/main.yml ran on c07-head, c07-n1"]
    assert lines(apply(f"echo NODE >>{ansible}/played")) == ["c07: 2 guests prepared"]
    assert (ansible / "played").read_text() == "head\nn1\n"
    (ansible / "c07-n1/var/lib/practicum/given.json").unlink()  # as after a rollback
    apply(f"echo NODE >>{ansible}/played")
    assert (ansible / "played").read_text() == "head\nn1\nn1\n"
    failed = apply("[ NODE = head ] || { echo no room >&2; exit 1; }")
    assert lines(failed)[1:] == ["  c07-n1: site/main.yml: the command: no room"]
    assert failed.checks is None
