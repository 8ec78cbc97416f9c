"""A practice ground: own stack files, own state, own lab on a free port, and the real engine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WRITES = {"POST", "PUT", "DELETE"}
# What an `up` has written into a stack file of this checkout; each with its indented value.
SECRETS = re.compile(r"^(encryptionsalt:.*|  practicum:secret:.*(\n    .*)*)\n", re.MULTILINE)
EVENTS = re.compile(r"^    events: .*\n", re.MULTILINE)
SITE_ENDPOINT = re.compile(r"127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the command line, with its JSON events."""

    code: int
    events: list[dict[str, Any]]
    errors: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last event: what is done and what is not."""
        return next(each for each in reversed(self.events) if each["event"] == "summary")

    @property
    def changes(self) -> dict[str, int]:
        """Operations of the engine, by kind, without those that change nothing."""
        kept = self.summary["changes"].items()
        return {name: count for name, count in kept if name not in ("same", "refresh", "read")}

    @property
    def touched(self) -> set[str]:
        """`operation name` of every resource that is, or would be, changed."""
        return {
            f"{each['operation']} {each['resource']}"
            for each in self.events
            if each["event"] == "resource" and each["state"] == "done"
        }

    @property
    def texts(self) -> str:
        """What was told, in lines."""
        return "\n".join(each["text"] for each in self.events if "text" in each)


@dataclass(slots=True)
class Practice:
    """Stack files copied to a folder, a state folder, and calls of `./practicum`, with further
    variables of the environment. Nobody boots the guests of its labs unless `engine` says so."""

    folder: Path
    engine: str = "none"
    listed: bool = False  # whether sites list their events, as shipped, or none
    ports: dict[str, int] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Copy the shipped stack files, each site on a free port."""
        self.stacks.mkdir(parents=True)
        for path in (ROOT / "stacks").glob("Pulumi.*.yaml"):
            text = SECRETS.sub("", path.read_text())
            text = text.replace("    engine: auto\n", f"    engine: {self.engine}\n")
            if not self.listed:
                text = EVENTS.sub("", text)
            name = path.name.split(".")[1]
            if SITE_ENDPOINT.search(text):
                self.ports[name] = free_port()
                text = SITE_ENDPOINT.sub(f"127.0.0.1:{self.ports[name]}", text)
            (self.stacks / path.name).write_text(text)

    @property
    def stacks(self) -> Path:
        """Folder of the stack files."""
        return self.folder / "stacks"

    @property
    def state(self) -> Path:
        """Folder of all that the command line keeps."""
        return self.folder / "state"

    def file(self, stack: str) -> Path:
        """A stack's file."""
        return self.stacks / f"Pulumi.{stack}.yaml"

    def run(self, verb: str, stack: str, *options: str) -> Run:
        """Run a verb on a stack with JSON events."""
        done = self.call(verb, str(self.file(stack)), "--json", *options)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return Run(done.returncode, events, done.stderr)

    def good(self, verb: str, stack: str, *options: str) -> Run:
        """Like `run`, and it must succeed."""
        run = self.run(verb, stack, *options)
        assert run.code == 0, f"{verb} {stack}:\n{run.texts}\n{run.errors}\n{run.events[-1:]}"
        return run

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `./practicum` with any words."""
        return subprocess.run(
            [str(ROOT / "practicum"), *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `./practicum` runs with."""
        return {**_without_pulumi(), "PRACTICUM_STATE": str(self.state), **self.variables}

    def shell(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a script of sh; `words` are its `$0`, `$1`, …"""
        return subprocess.run(
            ["/bin/sh", "-c", script, *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, verb: str, stack: str) -> subprocess.Popen[bytes]:
        """Start a verb on a stack; nobody reads what it tells."""
        return subprocess.Popen(
            [str(ROOT / "practicum"), verb, str(self.file(stack)), "--json"],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, stack: str, *, after: int, site: str = "lab") -> None:
        """Start `up`, and kill it and its engine once so many writes have been answered."""
        before = len(self.writes(site))
        process = self.start("up", stack)
        while len(self.writes(site)) < before + after:
            assert process.poll() is None, f"up {stack} ended before {after} writes"
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (*map(int, children), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()

    def edit(self, stack: str, old: str, new: str) -> None:
        """Change one place in a stack file, as somebody with an editor would."""
        text = self.file(stack).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {stack}"
        self.file(stack).write_text(text.replace(old, new))

    def requests(self, site: str = "lab") -> list[dict[str, Any]]:
        """All requests that the site's lab has answered."""
        path = self.state / "lab" / site / "requests.jsonl"
        if not path.exists():
            return []
        # The lab may be writing the last line just now.
        return [json.loads(line) for line in path.read_text().splitlines(True) if line[-1] == "\n"]

    def writes(self, site: str = "lab") -> list[str]:
        """Requests that changed something, as `METHOD path`."""
        return [
            f"{each['method']} {each['path']}"
            for each in self.requests(site)
            if each["method"] in WRITES
        ]

    def api(self, method: str, path: str, site: str = "lab", /, **fields: str) -> Any:
        """Ask the site's lab as its root user; the answer's data.

        A write is waited for in the request log, so that a count after it is complete.
        """
        logged = len(self.writes(site))
        folder = self.state / "lab" / site
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.ports[site]}/api2/json/{path}",
            method=method,
            data=urllib.parse.urlencode(fields).encode() or None,
            headers={"Authorization": f"PVEAPIToken={(folder / 'token').read_text().strip()}"},
        )
        trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        with urllib.request.urlopen(request, context=trust) as answer:
            data = json.load(answer)["data"]
        while method in WRITES and len(self.writes(site)) == logged:
            time.sleep(0.05)
        return data

    def guests(self, site: str = "lab") -> list[dict[str, Any]]:
        """Guests and templates at the site."""
        found: list[dict[str, Any]] = self.api("GET", "cluster/resources?type=vm", site)
        return found

    def marked(self, site: str = "lab") -> list[str]:
        """Everything at the site that carries our mark, of all kinds that we make."""
        places = ["pools", "access/groups", "cluster/firewall/groups", "cluster/backup"]
        places += ["access/users", "access/acl", "access/roles"]
        places += [f"nodes/{each['node']}/network" for each in self.api("GET", "nodes", site)]
        rows = [row for place in places for row in self.api("GET", place, site)]
        return [str(row) for row in [*rows, *self.guests(site)] if "practicum" in str(row)]

    def of_event(self, event: str, site: str = "lab") -> list[str]:
        """What of it names an event, without the access that the event's site keeps for it."""
        access = (f"practicum:{site}:event:{event}", f"'practicum-{event}@pve", "-instructors'")
        return [
            each
            for each in self.marked(site)
            if event in each and not any(text in each for text in access)
        ]

    def close(self) -> None:
        """Stop the labs, and engines and plugins that outlived those who started them."""
        for site in self.ports:
            self.call("lab", "stop", str(self.file(site)))
        mine = os.fsencode(f"PULUMI_BACKEND_URL=file://{self.state / 'backend'}")
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mine in path.read_bytes().split(b"\0"):
                    os.kill(int(path.parent.name), signal.SIGKILL)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


STATE_ONCE = {"PULUMI_SKIP_CHECKPOINTS": "true"}
"""For runs of a large event that nothing breaks off: the engine writes its state at the end only,
which halves the time of a run with 131 guests. What it writes is the same."""


def _without_pulumi() -> dict[str, str]:
    ours = ("PULUMI_", "PRACTICUM_", "PROXMOX_VE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
