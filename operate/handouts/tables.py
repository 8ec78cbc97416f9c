"""Logins and machines for programs: CSV, SSH settings, known hosts, an Ansible inventory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from operate.handouts.sheet import Sheet, inside, outside
from plan.identity import host_key
from plan.records import EventPlan, Guest

COLUMNS = ("cluster", "title", "address", "login", "password", "rootPassword", "subnet", "level")


def as_csv(sheets: Sequence[Sheet]) -> str:
    """A line for each group, for the organiser. A cell is never a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in sheets:
        cells = (
            each.cluster, each.title, each.address, each.user, each.password,
            each.root_password, each.subnet, each.level,
        )  # fmt: skip
        writer.writerow([_no_formula(cell) for cell in cells])
    return text.getvalue()


def _no_formula(cell: str) -> str:
    """A title such as `=1+1` is text to a spreadsheet, too."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def ssh_config(
    plan: EventPlan, known_hosts: str, *, proxy: Callable[[Guest], str] | None = None
) -> str:
    """OpenSSH client settings: every guest by its name, nodes by way of their cluster's head.

    `known_hosts` is the path of that file; `proxy` gives the command by which a guest is reached
    where the network has no way to it, as on a lab.
    """
    blocks = [
        "# Every guest of the event by its name; nodes are reached by way of their head.\n"
        f"# ssh -F THIS-FILE {plan.guests[0].name if plan.guests else 'NAME'}\n"
    ]
    for guest in plan.guests:
        head = _head(plan, guest)
        jump = head if proxy is None else None
        lines = [
            f"Host {guest.name}" + (f" {guest.cluster}" if head is None and guest.cluster else ""),
            f"  HostName {outside(guest) if head is None else inside(guest)}",
            f"  User {guest.login.user}",
            f"  HostKeyAlias {guest.name}",
        ]
        if jump is not None:
            lines.append(f"  ProxyJump {jump}")
        elif proxy is not None:
            lines.append(f"  ProxyCommand {proxy(guest)}")
        if guest.level != "none":
            lines.append(f"  UserKnownHostsFile {_quoted(known_hosts)}")
            lines.append("  StrictHostKeyChecking yes")
        elif proxy is not None:
            # The way in is a socket inside the guest: nobody can be in between, and a key that the
            # guest made itself need not be remembered, nor asked about.
            lines += ["  UserKnownHostsFile /dev/null", "  StrictHostKeyChecking no"]
            lines.append("  LogLevel ERROR")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def known_hosts(plan: EventPlan, secret: str) -> str:
    """Host keys by guest name, of guests whose keys we have chosen."""
    lines = []
    for guest in plan.guests:
        if guest.level != "none":
            kind, key, _ = host_key(secret, plan.stack, guest.name).public.split(" ")
            lines.append(f"{guest.name} {kind} {key}\n")
    return "".join(lines)


def inventory(plan: EventPlan, config: str) -> str:
    """An Ansible inventory as JSON, which is YAML as well: a group for each cluster and each node
    group. Hosts are reached by the SSH settings in the file `config`. It holds no password."""
    groups: dict[str, Any] = {}
    for guest in plan.guests:
        for name in filter(None, (_group(guest.cluster), f"nodes_{_word(guest.node_group)}")):
            groups.setdefault(name, {"hosts": {}})["hosts"][guest.name] = {}
    everything = {
        "hosts": {
            guest.name: {"practicum_cluster": guest.cluster, "practicum_level": guest.level}
            for guest in plan.guests
        },
        "vars": {"ansible_ssh_common_args": f"-F {_quoted(config)}"},
        "children": groups,
    }
    return json.dumps({"all": everything}, indent=1, ensure_ascii=False) + "\n"


def _head(plan: EventPlan, guest: Guest) -> str | None:
    """The head that a node is reached by; None for guests that are reached from outside."""
    if guest.exposed or guest.cluster is None:
        return None
    cluster = next(each for each in plan.clusters if each.name == guest.cluster)
    return cluster.guests[0].name


def _group(cluster: str | None) -> str | None:
    return f"cluster_{_word(cluster)}" if cluster else None


def _word(name: str) -> str:
    """Ansible's group names have no hyphens."""
    return name.replace("-", "_")


def _quoted(path: str) -> str:
    return f'"{path}"'
