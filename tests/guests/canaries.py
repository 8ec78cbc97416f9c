"""Secrets as canaries: what is each group's, in which forms it might be found, and where to look.

A canary is known by its name, which is what a failing test shows; its value is in no message.
"""

from __future__ import annotations

import base64
import gzip
import os
import re
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from plan.identity import host_key
from plan.naming import cluster_key_label, password_label, root_label
from plan.records import EventPlan
from plan.secrets import password, ssh_key

Canaries = Mapping[str, str]  # name -> value
LOOK_S = 0.05


def of_event(plan: EventPlan, secret: str) -> dict[str, str]:
    """All secrets of an event by `event/group/what`, each as the text that would be seen; of a
    private key the line that has its secret part."""
    found = {f"{plan.stack}/secret": secret}
    for cluster in plan.clusters:
        name = f"{plan.stack}/{cluster.name}"
        found[f"{name}/password"] = password(secret, password_label(plan.stack, cluster.name))
        found[f"{name}/root"] = password(secret, root_label(plan.stack, cluster.name))
        label = cluster_key_label(plan.stack, cluster.name)
        shared = ssh_key(secret, label, f"cluster {cluster.name}")
        found[f"{name}/key"] = secret_line(shared.private)
        for guest in cluster.guests:
            key = host_key(secret, plan.stack, guest.name)
            found[f"{name}/{guest.node}/host-key"] = secret_line(key.private)
    return found


def secret_line(private: str) -> str:
    """The line of a private key's file that has the secret half; those before it follow from the
    public one."""
    return private.splitlines()[4]


def forms(value: str) -> set[bytes]:
    """A text as it may be found: as it is, quoted for an address, in base64 at each offset."""
    raw = value.encode()
    found = {raw, quote(value, safe="").encode()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        # What the bytes before and behind have a part in is not the value's alone.
        first, last = (4 if before else 0), len(text) - (4 if (before + len(raw)) % 3 else 0)
        found.add(text[first:last])
    return found


class Search:
    """Finds canaries in bytes, all at once."""

    def __init__(self, canaries: Canaries) -> None:
        self._names = {form: name for name, value in canaries.items() for form in forms(value)}
        self._pattern = re.compile(b"|".join(re.escape(form) for form in self._names))

    def names(self, data: bytes) -> set[str]:
        """Names of the canaries in some bytes, or in what they are when they are unpacked."""
        found = {self._names[match] for match in self._pattern.findall(data)}
        if data[:2] == b"\x1f\x8b":
            with suppress(OSError, EOFError, zlib.error):  # it may only look like one
                found |= self.names(gzip.decompress(data))
        return found

    def in_files(self, folder: Path, *, without: str) -> dict[str, set[str]]:
        """Names of the canaries by the file below a folder that has them; folders that are called
        `without` are left out."""
        with tempfile.TemporaryDirectory() as apart:
            forms = Path(apart) / "forms"
            forms.write_bytes(b"\n".join(self._names))
            options = ["-rlaZ", "--devices=skip", f"--exclude-dir={without}"]
            found = self._grep([*options, "-F", "-f", str(forms)], folder)
        packed = self._grep([*options, "-P", r"\A\x1f\x8b"], folder)
        names = {}
        for path in {*found, *packed}:
            with suppress(OSError):  # gone meanwhile
                if here := self.names(Path(path).read_bytes()):
                    names[path] = here
        return names

    def _grep(self, options: list[str], folder: Path) -> list[str]:
        done = subprocess.run(
            ["grep", *options, str(folder)], capture_output=True, check=False,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode < 2 or done.stdout, done.stderr
        return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path]


@dataclass(slots=True)
class Processes:
    """What the processes of the machine show of themselves, looked at again and again: command
    lines, and variables as `NAME=value`."""

    arguments: set[bytes] = field(default_factory=set)
    variables: set[bytes] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Processes:
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Take in what there is to see now."""
        own = str(os.getpid())  # it has the canaries, and nobody else's
        for pid in os.listdir("/proc"):
            if pid.isdigit() and pid != own:
                self.arguments.add(_read(f"/proc/{pid}/cmdline"))
                self.variables.update(_read(f"/proc/{pid}/environ").split(b"\0"))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
