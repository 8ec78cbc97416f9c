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
from bench.stacks import ROOT, SITE, Size, site

MIB_PER_GIB = 1024
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


def seed(size: Size) -> dict[str, Any]:
    """The lab's seed for the site of `size`: its hosts, storages and volumes."""
    decoded = site(size)
    config, lab = decoded["practicum:site"], decoded["practicum:lab"]
    host = config["hosts"][0]
    return {
        "cluster": SITE,
        "nodes": [
            {
                "name": f"pve{number:02d}",
                "cores": host["cores"],
                "memoryMib": host["memoryGib"] * MIB_PER_GIB,
                "address": "127.0.0.1",
            }
            for number in range(1, size.hosts + 1)
        ],
        "bridges": [config["network"]["exposed"]["bridge"]],
        "storages": [_storage(name, each, host) for name, each in config["storages"].items()],
        "volumes": [
            {"volid": each["volume"], "sizeMib": each["sizeGib"] * MIB_PER_GIB, "nodes": None}
            for each in lab["volumes"]
        ],
        "objects": [],
    }


def _storage(name: str, storage: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    shared = storage.get("shared", False)
    place = (
        {"server": "127.0.0.1", "export": f"/export/{name}"}
        if storage["type"] == "nfs"
        else {"path": "/var/lib/vz"}
    )
    return {
        "id": name,
        "type": storage["type"],
        "content": storage["content"],
        "shared": shared,
        "sizeGib": storage["sizeGib"] if shared else host["diskGib"],
        "nodes": None,
        **place,
    }


@contextmanager
def served(folder: Path, size: Size) -> Iterator[Served]:
    """Start a lab with its state in `folder`, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed.json").write_text(json.dumps(seed(size)))
    state = folder / "state"
    command = [sys.executable, "-P", "-m", "lab", "serve", "--state", str(state)]
    command += ["--seed", str(folder / "seed.json"), "--port", "0"]
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
