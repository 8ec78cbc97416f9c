"""Plays a playbook on guests of one cluster: Ansible on this machine, our ways to the guests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from event.problems import RunError
from operate.contextualize.playbooks.relay import Relay
from operate.contextualize.way import Way
from plan.contextualize.orders import Playbook
from plan.records import Guest

PROGRAM = "ansible-playbook"
MISSING = f"{PROGRAM} is not on PATH; on Debian type: sudo apt install ansible-core"
HERE = Path(__file__).parent
LIMIT_S = 7200.0
MOST_FORKS = 16
OURS = ("PULUMI_", "PRACTICUM_", "PROXMOX_VE_", "PYTHON", "ANSIBLE_")


def stop_without_ansible(guests: Iterable[Guest]) -> None:
    """Raise `RunError` where a playbook is to be played and there is nobody to play it."""
    wanted = sorted({each.name for guest in guests for each in guest.own_playbooks})
    if wanted and shutil.which(PROGRAM) is None:
        raise RunError(f"the playbook {wanted[0]} needs Ansible: {MISSING}")


def play(playbook: Playbook, ways: Mapping[str, Way]) -> dict[str, str]:
    """Play a playbook on the guests of `ways`; why it failed, by guest. Others have it now."""
    program = shutil.which(PROGRAM)
    if program is None:
        return dict.fromkeys(ways, MISSING)
    with tempfile.TemporaryDirectory(prefix="practicum-") as folder:
        place = Path(folder)
        (place / "inventory.json").write_text(json.dumps(inventory(playbook)))
        command = [program, "-i", str(place / "inventory.json"), "--limit", ",".join(ways)]
        command += ["--forks", str(min(MOST_FORKS, len(ways))), str(playbook.path)]
        with Relay(place / "relay", ways) as relay:
            code, output = _ended(command, playbook.path.parent, variables(place))
    failed = {name: why for name, why in relay.failed.items() if not relay.played.get(name)}
    for name in ways:
        if name not in failed and not relay.played.get(name, code == 0):
            failed[name] = " / ".join(output.strip().splitlines()[-4:]) or f"exit status {code}"
    return failed


def inventory(playbook: Playbook) -> dict[str, Any]:
    """The cluster's guests, by cluster and node group as in the handouts; `practicum` has facts."""
    groups: dict[str, Any] = {}
    for name, facts in playbook.facts.items():
        in_cluster = [f"cluster_{facts['cluster']}"] if facts["cluster"] else []
        for group in (*in_cluster, f"nodes_{facts['nodeGroup']}"):
            groups.setdefault(group.replace("-", "_"), {"hosts": {}})["hosts"][name] = {}
    hosts = {name: {"practicum": facts} for name, facts in playbook.facts.items()}
    settings = {
        "ansible_connection": "practicum",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {"all": {"hosts": hosts, "vars": settings, "children": groups}}


def variables(place: Path) -> dict[str, str]:
    """What Ansible runs with: this person's variables without ours, and where our plugins are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "practicum_report",
        "ANSIBLE_LOCAL_TEMP": str(place / "local"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "LC_ALL": "C.UTF-8",
        "PRACTICUM_RELAY": str(place / "relay"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _ended(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Exit code and output of a program, ended with all that it started when it takes too long."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        output = f"did not end within {LIMIT_S:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, output
