"""Servers to read from beside the lab: one that does nothing, and another simulator of the API."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.figures import spread
from bench.labs import Served
from bench.processes import BenchError
from bench.readers import read_once, trusting
from bench.results import Arm
from bench.stacks import ROOT

FAKEPVE = "0.5.0"
FAKEPVE_PASSWORD = "bench"

Values = dict[str, list[float]]  # by server


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A server to read from, and how to be let in."""

    port: int
    headers: Mapping[str, str]
    pid: int


def reader_of(lab: Served) -> Reader:
    """The lab itself, read by root@pam's token."""
    headers = {"Authorization": f"PVEAPIToken={lab.token}"}
    return Reader(port=int(lab.endpoint.rpartition(":")[2]), headers=headers, pid=lab.pid)


@contextmanager
def beside(
    lab: Served, path: str, folder: Path, names: Sequence[str] = ()
) -> Iterator[tuple[dict[str, Reader], str]]:
    """The servers that a path is read from, by name: `lab`, `bare`, and with guests of these names
    `fakepve`; and why a peer is missing."""
    own, missing = reader_of(lab), ""
    with ExitStack() as stack:
        body = read_once(own.port, path, own.headers)
        readers = {"lab": own, "bare": stack.enter_context(bare(lab, body, folder))}
        if names:
            try:
                readers["fakepve"] = stack.enter_context(fakepve(lab, folder, names))
            except BenchError as error:
                missing = str(error)
        yield readers, missing


def rounds(
    readers: Mapping[str, Reader], repeats: int, measure: Callable[[str, Reader], float]
) -> Values:
    """What is measured of each server, in turn."""
    found: Values = {name: [] for name in readers}
    for _ in range(repeats):
        for name, reader in readers.items():
            found[name].append(measure(name, reader))
    return found


def peer_arm(values: Values, missing: str) -> Arm:
    """The peer's side of a result."""
    if peer := values.get("fakepve"):
        return Arm(what=f"fakepve {FAKEPVE}", spread=spread(peer))
    return Arm(what=f"none: {missing}")


@contextmanager
def bare(lab: Served, body: bytes, folder: Path) -> Iterator[Reader]:
    """A server that answers everything with `body`, under the lab's certificate."""
    path = folder / "body"
    path.write_bytes(body)
    command = [sys.executable, "-P", "-m", "bench.bare", str(lab.state / "server.pem")]
    command += [str(lab.state / "server.key"), str(path)]
    with _started(command, {"PYTHONPATH": str(ROOT)}) as process:
        port = int(process.stdout.readline() if process.stdout else 0)
        yield Reader(port=port, headers={}, pid=process.pid)


@contextmanager
def fakepve(lab: Served, folder: Path, names: Sequence[str]) -> Iterator[Reader]:
    """The peer with guests of these names and an instructor, under the lab's certificate as well.

    Raises `BenchError` when it cannot be installed.
    """
    programs = peers.installed("fakepve", FAKEPVE)
    guests = [
        {"vmid": 1000 + number, "name": name, "status": "running", "config": {"memory": 512}}
        for number, name in enumerate(["instructor", *names])
    ]
    (folder / "guests.json").write_text(json.dumps({"guests": guests}))
    port = _free_port()
    command = [str(programs / "fakepve"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--user", "root@pam", "--password", FAKEPVE_PASSWORD]
    command += ["--cert", str(lab.state / "server.pem")]
    command += ["--key", str(lab.state / "server.key"), str(folder / "guests.json")]
    with _started(command, peers.variables(programs)) as process:
        headers = {"Cookie": f"PVEAuthCookie={_ticket(port)}"}
        yield Reader(port=port, headers=headers, pid=process.pid)


@contextmanager
def _started(command: list[str], variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _ticket(port: int, patience_s: float = 15) -> str:
    """Log in once the server answers."""
    form = urllib.parse.urlencode({"username": "root@pam", "password": FAKEPVE_PASSWORD})
    url = f"https://127.0.0.1:{port}/api2/json/access/ticket"
    end = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, form.encode(), context=trusting()) as answer:
                return str(json.load(answer)["data"]["ticket"])
        except OSError as error:
            if time.monotonic() > end:
                raise BenchError(f"fakepve does not answer: {error}") from None
            time.sleep(0.2)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
