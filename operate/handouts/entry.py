"""`ssh`: into one node by its name, through the head, with the host keys that we have chosen."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from event.problems import RunError, known_names
from event.stack import EventStack
from operate.handouts.tables import known_hosts, ssh_config
from operate.lab_process import stop_if_down
from operate.places import Places, write_private
from operate.progress import Telling
from operate.session import open_session
from plan.plan import plan_event
from plan.records import EventPlan, Guest

NOT_LOGGED_IN = 255
"""Exit code of OpenSSH's client for all that keeps it from a guest."""


def lab_way(stack: EventStack, places: Places) -> Callable[[Guest], str] | None:
    """How guests of a lab are reached from this machine; None for a real site."""
    if stack.site.lab is None:
        return None
    words = ["env", f"PYTHONPATH={places.root}", str(places.venv / "bin" / "python"), "-P", "-m"]
    words += ["lab", "connect", "--state", str(places.lab(stack.site.name).absolute())]
    start = shlex.join(words)
    return lambda guest: f"{start} {guest.vmid} 22"


def find(plan: EventPlan, name: str) -> Guest:
    """The guest behind `c07`, `c07/n2`, `c07-n2` or `instructor`; `RunError` for another name."""
    cluster, _, node = name.partition("/")
    for guest in plan.guests:
        if name == guest.name or (cluster == guest.cluster and node == guest.node):
            return guest
    for each in plan.clusters:
        if name == each.name:
            return each.guests[0]
    names = [each.name for each in plan.clusters]
    known = next((each for each in plan.clusters if each.name == cluster), None)
    if known is not None:
        nodes = [guest.node for guest in known.guests]
        raise RunError(f"{cluster} has no node {node}; {known_names(node, nodes)}")
    raise RunError(f"{plan.stack} has no cluster {cluster}; {known_names(cluster, names)}")


def ssh(
    stack: EventStack, name: str, words: Sequence[str], places: Places, telling: Telling
) -> int:
    """Run OpenSSH's client on a guest; its exit code, 255 when it could not log in."""
    plan = plan_event(stack)
    guest = find(plan, name)
    secret = open_session(stack, places, telling).secret()
    with tempfile.TemporaryDirectory(prefix="practicum-ssh-") as folder:
        hosts, config = Path(folder) / "known_hosts", Path(folder) / "config"
        write_private(hosts, known_hosts(plan, secret))
        write_private(config, ssh_config(plan, str(hosts), proxy=lab_way(stack, places)))
        try:
            code = subprocess.run(
                ["ssh", "-F", str(config), guest.name, *words], check=False
            ).returncode
        except FileNotFoundError:
            raise RunError("ssh is not on PATH; type: sudo apt install openssh-client") from None
    if code == NOT_LOGGED_IN:
        stop_if_down(stack, places)  # only now: guests of a lab that was killed go on
    return code
