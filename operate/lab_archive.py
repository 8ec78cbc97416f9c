"""`lab export` and `lab import`: everything that a lab knows, as plain JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from event.problems import RunError
from operate import lab_process
from operate.lab_control import ask
from operate.lab_process import LabStatus
from operate.lab_verbs import site_and_places
from operate.places import Places


def export(name: str, file: Path) -> None:
    """Write an export, of a lab that runs or of one that does not."""
    site, places = site_and_places(name)
    lab = lab_process.status(site, places)
    target = file.absolute()
    if lab.running:
        count = ask(lab, "export", file=str(target))
    else:
        count = _program(lab, places, "export", target)["objects"]
    print(f"{file}: {count} objects of lab {lab.site}")


def load(name: str, file: Path, *, yes: bool) -> None:
    """Put an export in place of what a lab knows; the lab must not run."""
    site, places = site_and_places(name)
    lab = lab_process.status(site, places)
    if lab.running:
        raise RunError(f"lab {lab.site} runs; stop it first: ./practicum lab stop {lab.site}")
    if not yes and sys.stdin.isatty():
        answer = input(f"Replace everything in lab {lab.site}, {lab.state}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise RunError("nothing was changed")
    places.make()
    done = _program(lab, places, "import", file.absolute())
    print(f"lab {lab.site}: {done['objects']} objects from {file}")
    for volume in done["withoutFile"]:
        print(f"  {volume}: its file is not in {lab.state}; it goes on without content")


def _program(lab: LabStatus, places: Places, verb: str, file: Path) -> dict[str, Any]:
    """Run a verb of the lab's own program on its state."""
    command = [sys.executable, "-P", "-m", "lab", verb, str(file), "--state", str(lab.state)]
    done = subprocess.run(
        command,
        cwd=places.root,
        env={**os.environ, "PYTHONPATH": str(places.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RunError(lines[-1] if lines else f"lab {verb} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
