"""The same work for others: a guest's files and scripts as a script of sh, and as an Ansible
playbook with its inventory."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plan.contextualize.orders import Orders

VERSIONS = {"asyncssh": "2.24.1", "ansible-core": "2.19.14"}
SESSIONS_AT_ONCE = 16

PLAYBOOK: list[dict[str, Any]] = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": "folders",
                "file": {"path": "{{ item }}", "state": "directory"},
                "loop": "{{ folders }}",
                "loop_control": {"label": "{{ item }}"},
            },
            {
                "name": "files",
                "copy": {
                    "dest": "{{ item.path }}",
                    "content": "{{ item.text }}",
                    "mode": "{{ item.mode }}",
                    "owner": "{{ item.owner }}",
                },
                "loop": "{{ files }}",
                "loop_control": {"label": "{{ item.path }}"},
                "no_log": True,
            },
            {
                "name": "scripts",
                "shell": {
                    "cmd": "{{ item.text }}",
                    "stdin": "{{ item.given }}",
                    "stdin_add_newline": False,
                },
                "loop": "{{ scripts }}",
                "loop_control": {"label": "{{ item.name }}"},
                "no_log": True,
            },
        ],
    }
]
"""What a person would write: a task for each kind of thing, in loops, hidden where it is secret."""


def script(orders: Orders) -> str:
    """The orders as one script of sh, which writes every file and runs every script."""
    lines = ["set -e"]
    for file in orders.files:
        path = shlex.quote(file.path)
        text = base64.b64encode(file.text.encode()).decode()
        lines += [f"mkdir -p {shlex.quote(str(Path(file.path).parent))}"]
        lines += [f"echo {text} | base64 -d >{path}", f"chmod {file.mode} {path}"]
        lines += [f"chown {file.owner} {path}"]
    for each in orders.scripts:
        given = base64.b64encode(each.given.encode()).decode()
        lines += [f"echo {given} | base64 -d | sh -c {shlex.quote(each.text)}"]
    return "\n".join(lines) + "\n"


def inventory(guests: Sequence[Orders], ports: Mapping[int, int], key: Path) -> dict[str, Any]:
    """The guests with what each of them gets, and SSH at its best: one connection, kept open, and
    modules by standard input."""
    hosts = {
        each.guest: {
            "ansible_port": ports[each.vmid],
            "folders": sorted({str(Path(file.path).parent) for file in each.files}),
            "files": each.as_json()["files"],
            "scripts": [
                {"name": one.name, "text": one.text, "given": one.given} for one in each.scripts
            ],
        }
        for each in guests
    }
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    settings = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"{options} -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
    }
    return {"all": {"hosts": hosts, "vars": settings}}


def write_jobs(folder: Path, guests: Sequence[Orders], ports: Mapping[int, int], key: Path) -> None:
    """Files for both: `jobs.json`, `inventory.json` and `main.json`, the playbook."""
    jobs = {
        "key": str(key),
        "atOnce": SESSIONS_AT_ONCE,
        "guests": [
            {"name": each.guest, "port": ports[each.vmid], "script": script(each)}
            for each in guests
        ],
    }
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "inventory.json").write_text(json.dumps(inventory(guests, ports, key)))
    (folder / "main.json").write_text(json.dumps(PLAYBOOK))
