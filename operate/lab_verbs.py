"""The verbs of `lab`: the process that stands in for a site, seen from the command line."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from event.problems import RunError
from event.stack import SiteStack
from operate import lab_process
from operate.lab_control import ask
from operate.lab_seed import seed
from operate.places import Places
from operate.stacks import load, site_of

ADMINISTRATOR = "root@pam"
FOLLOW_S = 0.3
LONGEST_PARAMETERS = 90


def start(name: str, *, realistic: bool = False) -> None:
    """Start the lab and say where it answers."""
    site, places = site_and_places(name)
    places.make()
    before = lab_process.status(site, places)
    lab, added = lab_process.start(site, places, realistic=realistic, tell=print)
    if before.running and realistic and not ask(lab, "status")["realistic"]:
        raise RunError(
            f"lab {lab.site} runs already, without --realistic; stop it first: "
            f"./practicum lab stop {lab.site}"
        )
    word = "runs already" if before.running else "started"
    print(f"lab {lab.site} {word}: {lab.endpoint} (process {lab.pid})")
    if added and not before.running:
        print(f"new in it: {len(added)} hosts, storages and volumes")
    for each in lab.lacks:
        print(each)


def stop(name: str) -> None:
    """Stop the lab."""
    site, places = site_and_places(name)
    done = lab_process.stop(site, places)
    print(f"lab {site.name} {'stopped; what it holds is kept' if done else 'does not run'}")


def status(name: str, *, as_json: bool) -> None:
    """Say how the lab is."""
    site, places = site_and_places(name)
    lab = lab_process.status(site, places)
    if as_json:
        print(json.dumps(lab.as_record() | _access(site, lab)))
        return
    if lab.running:
        print(f"lab {lab.site} runs: {lab.endpoint} (process {lab.pid}, engine {lab.engine})")
    else:
        print(lab.down)
    print(f"state: {lab.state}")


def _access(site: SiteStack, lab: lab_process.LabStatus) -> dict[str, Any]:
    """What another program needs to work with the lab; secrets are named by their files."""
    wanted = seed(site)
    storages = [each["id"] for each in wanted["storages"] if "images" in each["content"]]
    return {
        "nodes": [node["name"] for node in wanted["nodes"]],
        "storage": storages[0] if storages else None,
        "caFile": str(lab.ca_file),
        "user": ADMINISTRATOR,
        "passwordFile": str(lab.state / "password"),
    }


def reset(name: str, *, yes: bool) -> None:
    """Forget all that the lab holds, after a question on a terminal."""
    site, places = site_and_places(name)
    lab = lab_process.status(site, places)
    if not yes and sys.stdin.isatty():
        answer = input(f"Forget everything in lab {site.name}, {lab.state}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise RunError("nothing was changed")
    lab_process.reset(site, places)
    print(f"lab {site.name} is empty; ./practicum up EVENT makes its events again")


def log(name: str, *, lines: int, follow: bool) -> None:
    """Show requests: time, answer, milliseconds in the lab, and what was asked."""
    site, places = site_and_places(name)
    path = lab_process.status(site, places).requests
    if not path.is_file():
        raise RunError(f"lab {site.name} has answered nothing yet")
    with path.open("rb") as file:
        for line in file.read().splitlines()[-lines:]:
            _put(line)
        while follow:
            rest = file.readline()
            if rest.endswith(b"\n"):
                _put(rest)
            elif _is_another(path, file.fileno()):
                return log(name, lines=lines, follow=True)
            else:
                file.seek(-len(rest), os.SEEK_CUR)
                time.sleep(FOLLOW_S)
    return None


def _is_another(path: Path, descriptor: int) -> bool:
    """Whether the log was rotated away under us."""
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return True


def _put(line: bytes) -> None:
    try:
        record: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    when = datetime.fromtimestamp(float(record.get("t", 0))).strftime("%H:%M:%S.%f")[:-3]
    parameters = " ".join(f"{key}={value}" for key, value in (record.get("params") or {}).items())
    if len(parameters) > LONGEST_PARAMETERS:
        parameters = parameters[: LONGEST_PARAMETERS - 1] + "…"
    print(
        f"{when} {record.get('status')} {float(record.get('ms', 0)):7.2f} ms "
        f"{record.get('method'):6} {record.get('path')} {parameters}".rstrip(),
        flush=True,
    )


def site_and_places(name: str) -> tuple[SiteStack, Places]:
    """The site that a stack is or is on, and this person's places."""
    places = Places.of(os.environ)
    return site_of(load(name, places)), places
