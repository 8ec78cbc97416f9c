"""The carrier: runs on a guest as root, puts files and scripts in place, and reports as JSON.

Its text is sent to the guest's own Python, so it uses nothing but the standard library (3.9 and
newer). Carrying out the same orders again changes nothing. What a participant has changed since is
left as it is, unless the orders say `force`; then the replaced file is kept beside the record.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import subprocess
import time
from typing import Any

RECORD = "var/lib/practicum/given.json"
LOCK = "run/practicum.lock"
BEFORE = "var/lib/practicum/before"
TAIL = 2000  # characters of a failed script's output that are reported
LIMIT_S = 900  # a script that takes longer is ended


class Guest:
    """The guest's file system below `root`, and the record of what was given to it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.record: dict[str, Any] = {"files": {}, "scripts": {}, "since": 0}
        try:
            with open(self.path(RECORD)) as file:
                self.record.update(json.load(file))
        except (OSError, ValueError):
            pass  # nothing was given yet, or the record is damaged: files decide

    def path(self, name: str) -> str:
        """Where a path of the guest is."""
        return os.path.join(self.root, name.lstrip("/"))

    def save(self) -> None:
        """Write the record, whole or not at all."""
        self.record["since"] = self.record["since"] or time.time()
        self.write(RECORD, json.dumps(self.record).encode(), 0o600, 0, 0)

    def write(self, name: str, data: bytes, mode: int, uid: int, gid: int) -> None:
        """Write a file in one step; folders that are missing belong to its owner."""
        path = self.path(name)
        self._folders(os.path.dirname(path), uid, gid, 0o700 if mode & 0o077 == 0 else 0o755)
        new = path + ".practicum-new"
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if os.geteuid() == 0:
                os.chown(new, uid, gid)
            os.chmod(new, mode)
            os.replace(new, path)
        except OSError:
            if os.path.lexists(new):
                os.remove(new)  # on a full disk it would keep what others need
            raise

    def _folders(self, folder: str, uid: int, gid: int, mode: int) -> None:
        if os.path.isdir(folder):
            return
        self._folders(os.path.dirname(folder), uid, gid, mode)
        os.mkdir(folder, mode)
        if os.geteuid() == 0:
            os.chown(folder, uid, gid)


def settled_and_done(orders: dict[str, Any], root: str = "/") -> dict[str, Any]:
    """`carry_out` once the first boot has ended; else a report that says so.

    One at a time: whoever asks again because an answer got lost finds the first one at work.
    """
    if settled(root):
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                lock = stack.enter_context(open(os.path.join(root, LOCK), "w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            return carry_out(orders, root)
    failed = {"name": "cloud-init", "why": "the first boot has not ended"}
    return {"written": [], "kept": [], "ran": [], "due": [], "failed": failed}


def carry_out(orders: dict[str, Any], root: str = "/") -> dict[str, Any]:
    """Put files in place, run scripts in order until one fails, and tell what was done.

    Keys of the report: `written` and `kept` (paths), `ran` (names), `due` (names of `marks` that
    this guest has not had), `failed` (null, or the name of a script or path with `why`).
    """
    guest = Guest(root)
    done = guest.record["scripts"]
    due = [
        each["name"] for each in orders.get("marks", ()) if done.get(each["name"]) != each["digest"]
    ]
    report: dict[str, Any] = {"written": [], "kept": [], "ran": [], "due": due, "failed": None}
    for file in orders["files"]:
        try:
            _place(guest, file, report, force=bool(orders.get("force")))
        except OSError as error:
            report["failed"] = {"name": file["path"], "why": error.strerror or str(error)}
            break
    for script in orders["scripts"]:
        if report["failed"] is not None:
            break
        _run(guest, script, report)
    if orders["files"] or any(each["digest"] for each in orders["scripts"]):
        if report["failed"] is None and "level" in orders:
            guest.record["level"] = orders["level"]
        try:
            guest.save()
        except OSError as error:
            why = {"name": f"/{RECORD}", "why": error.strerror or str(error)}
            report["failed"] = report["failed"] or why
    return report


def _place(guest: Guest, file: dict[str, Any], report: dict[str, Any], *, force: bool) -> None:
    path, data = file["path"], file["text"].encode()
    wanted, last = hashlib.sha256(data).hexdigest(), guest.record["files"].get(path)
    there = _content(guest.path(path))
    have = None if there is None else hashlib.sha256(there).hexdigest()
    if have == wanted:
        guest.record["files"][path] = wanted
        return
    if not force and _is_changed(guest, path, have, last):
        report["kept"].append(path)
        return
    if force and there is not None and have != last:
        guest.write(os.path.join(BEFORE, path.lstrip("/")), there, 0o600, 0, 0)
    guest.write(path, data, int(file["mode"], 8), *_owner(file["owner"]))
    guest.record["files"][path] = wanted
    report["written"].append(path)


def _owner(login: str) -> tuple[int, int]:
    """Numbers of a login; root's where a script's package is only going to make the login."""
    try:
        account = pwd.getpwnam(login)
    except KeyError:
        return 0, 0
    return account.pw_uid, account.pw_gid


def settled(root: str = "/", patience_s: float = 300) -> bool:
    """Wait until cloud-init has ended, which writes some of the same files at the first boot."""
    if not os.path.exists(os.path.join(root, "usr/bin/cloud-init")):
        return True
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if os.path.exists(os.path.join(root, "run/cloud-init/result.json")):
            return True
        time.sleep(0.2)
    return False


def _is_changed(guest: Guest, path: str, have: str | None, last: str | None) -> bool:
    """Whether a participant has made, changed or removed the file since something was given."""
    if last is not None:
        return have != last
    if have is None or not guest.record["since"]:
        return False
    return bool(os.path.getmtime(guest.path(path)) > guest.record["since"])


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _run(guest: Guest, script: dict[str, Any], report: dict[str, Any]) -> None:
    name, digest = script["name"], script["digest"]
    if digest and guest.record["scripts"].get(name) == digest:
        return
    # The script's own text may hold nothing secret; what is secret comes by standard input.
    try:
        done = subprocess.run(
            ["sh", "-c", script["text"]],
            input=script["given"].encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=LIMIT_S,
            check=False,
        )
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        code, output = 124, f"did not end within {LIMIT_S} s"
    if code != 0:
        why = output.strip()[-TAIL:] or f"exit status {code}"
        report["failed"] = {"name": name, "why": why}
        return
    if digest:
        guest.record["scripts"][name] = digest
    report["ran"].append(name)
