"""A lab of the bench's own: fresh state, free loopback port, ended with the measurement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import BenchError, usage_of
from bench.stacks import ROOT, SITE, Size, write_stacks
from event.read import read_stack
from event.stack import SiteStack
from operate.lab_seed import seed as site_seed

STOP_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A lab that answers at `endpoint`."""

    endpoint: str
    state: Path
    pid: int

    @property
    def token(self) -> str:
        """The API token of root@pam."""
        return (self.state / "token").read_text().strip()

    @property
    def cpu_s(self) -> float:
        """CPU time that the lab's process has used so far."""
        usage = usage_of(self.pid)
        if usage is None:
            raise BenchError("the lab has ended early; see its log in the state folder")
        return usage[1]

    @property
    def peak_mib(self) -> float:
        """Peak memory of the lab's process so far."""
        usage = usage_of(self.pid)
        return usage[2] if usage else 0.0


def seed(folder: Path, size: Size) -> dict[str, Any]:
    """The lab's seed for the site of `size`, as the command line makes it."""
    write_stacks(folder, size)
    stack = read_stack(SITE, folder)
    if not isinstance(stack, SiteStack):
        raise BenchError(f"{SITE} is not a site")
    return site_seed(stack)


@contextmanager
def served(folder: Path, size: Size, *options: str) -> Iterator[Served]:
    """Start a lab with its state in `folder`, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed.json").write_text(json.dumps(seed(folder / "stacks", size)))
    state = folder / "state"
    command = [sys.executable, "-P", "-m", "lab", "serve", "--state", str(state)]
    command += ["--seed", str(folder / "seed.json"), "--port", "0", *options]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Served(endpoint=_endpoint(process, folder), state=state, pid=process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _endpoint(process: subprocess.Popen[bytes], folder: Path) -> str:
    """What the lab says when it is ready."""
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise BenchError(f"the lab did not start: {(folder / 'lab.log').read_text()[-500:]}")
    return str(json.loads(line)["endpoint"])
