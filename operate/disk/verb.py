"""`disk`: list, get, put, edit files of a node that is off, or a shell among them.

Nothing of the node is run: no program, no login, no link that leads out. Owner and mode of a file
that is written stay as they are; who has the node's disk open keeps it from starting.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from event.problems import RunError, known_names
from event.stack import EventStack
from operate import lab_process
from operate.console import place_of
from operate.disk.ways import Way, way_to
from operate.event_token import session_for_asking
from operate.handouts.entry import find
from operate.places import Places
from operate.progress import Telling
from plan.plan import plan_event

ACTIONS = {
    "ls": "ls [PATH]: list a folder, or tell of a file",
    "get": "get PATH [FILE]: copy a file from the node; without FILE to standard output",
    "put": "put FILE PATH: copy a file to the node; - is standard input",
    "edit": "edit PATH: with $VISUAL or $EDITOR",
    "shell": "shell [COMMAND...]: a shell of the host in the node's root folder",
}
STANDARD = "-"


def disk(
    stack: EventStack, name: str, action: str, words: Sequence[str], places: Places,
    telling: Telling,
) -> int:  # fmt: skip
    """Do one thing with a node's files; its exit code. `RunError` for all that can be put right."""
    guest = find(plan_event(stack), name)
    if action not in ACTIONS:
        raise RunError(f"disk cannot {action}; {known_names(action, list(ACTIONS))}")
    session = session_for_asking(stack, places, telling)
    host, running = place_of(session.api(), guest.vmid, guest.name)
    if running:
        raise RunError(
            f"{guest.name} is running: its files are its own; shut it down first, or use "
            f"./practicum console {session.typed} {name}"
        )
    site = session.site
    lab = lab_process.status(site, places) if site.lab is not None else None
    return Work(way_to(site, lab, host, guest.vmid), guest.name).do(action, list(words))


class Work:
    """The actions, by a way to one guest's files."""

    def __init__(self, way: Way, name: str) -> None:
        self._way, self._name = way, name

    def do(self, action: str, words: list[str]) -> int:
        """One action with its words; its exit code."""
        fewest, most = {"ls": (0, 1), "get": (1, 2), "put": (2, 2), "edit": (1, 1)}.get(
            action, (0, len(words))
        )
        if not fewest <= len(words) <= most:
            raise RunError(f"type: ./practicum disk STACK NODE {ACTIONS[action]}")
        if action == "ls":
            _print(self._asked("ls", words[0] if words else "/"))
        elif action == "get":
            self._get(words[0], words[1] if len(words) > 1 else STANDARD)
        elif action == "put":
            self._write(words[1], _content(words[0]))
        elif action == "edit":
            self._edit(words[0])
        else:
            return self._way.shell(words)
        return 0

    def _asked(self, *words: str, given: bytes = b"") -> bytes:
        done = self._way.work(words, given)
        if done.code != 0:
            said = done.errors.strip().rpartition("\n")[2]
            raise RunError(f"{self._name}: {said or f'exit code {done.code}'}")
        return done.out

    def _write(self, path: str, content: bytes) -> None:
        self._asked("put", path, str(len(content)), given=content)

    def _get(self, path: str, file: str) -> None:
        content = self._asked("get", path)
        if file == STANDARD:
            _print(content)
            return
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as target:
                target.write(content)
        except OSError as error:
            raise RunError(f"{file}: cannot be written ({error.strerror})") from None

    def _edit(self, path: str) -> None:
        before = self._asked("get", path)
        with tempfile.TemporaryDirectory(prefix="practicum-edit-") as folder:
            file = Path(folder) / (Path(path).name or "file")
            file.write_bytes(before)
            editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
            try:
                code = subprocess.run([*editor, str(file)], check=False).returncode
            except FileNotFoundError:
                raise RunError(f"{editor[0]} is not on PATH; name another with EDITOR=") from None
            if code != 0:
                raise RunError(f"{editor[0]} ended with {code}; nothing was changed")
            after = file.read_bytes()
        if after == before:
            print("nothing was changed", file=sys.stderr)
            return
        if self._asked("get", path) != before:
            raise RunError(f"{self._name}: somebody else has changed {path}; nothing was written")
        self._write(path, after)


def _content(file: str) -> bytes:
    if file == STANDARD:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror})") from None


def _print(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
