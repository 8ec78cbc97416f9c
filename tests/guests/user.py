"""A normal user of this machine for the time of a test, and what it sees of the machine.

It finds this checkout, its Python and the images at their own places although these may be below
folders of root's, has a folder for a lab's state, and a control group that it may divide: what a
systemd gives its users.
"""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.engines.lxc import groups
from tests.image.conftest import cannot

ROOT = Path(__file__).resolve().parents[2]
_COUNT = itertools.count()
# Of the namespace that the user's programs are started in: `$1` is a folder for a while; then come,
# until --, folders that are closed to users, and after it all that is to be seen below these.
SEEN = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
stage=$1 number=0
shift
closed=
while [ "$1" != -- ]; do closed="$closed $1"; shift; done
shift
for each in "$@"; do
    number=$((number + 1))
    mkdir "$stage/$number"
    mount --bind "$each" "$stage/$number"
done
for each in $closed; do mount -t tmpfs -o mode=755 tmpfs "$each"; done
number=0
for each in "$@"; do
    number=$((number + 1))
    mkdir -p "$each"
    mount --bind "$stage/$number" "$each"
done
echo ready
exec cat
"""
START = """
echo $$ > "$1/cgroup.procs"
shift
exec setpriv --reuid "$USER" --regid "$USER" --init-groups "$@"
"""


class User:
    """A user, made at once and gone with `close`; `folder` is its own."""

    def __init__(self, images: Path) -> None:
        place = groups.place()
        if place is None:
            cannot("this machine has no control groups of version 2 to give to a user")
        self.name = f"practicum{os.getpid()}x{next(_COUNT)}"
        subprocess.run(["useradd", "--no-create-home", self.name], check=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        row = pwd.getpwnam(self.name)
        os.chown(self.folder, row.pw_uid, row.pw_gid)
        self.place = place
        self.group = place / self.name
        self.group.mkdir()
        for path in (self.group, *self.group.glob("cgroup.*")):
            if path.name in (self.name, "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
                os.chown(path, row.pw_uid, row.pw_gid)
        self._seen = self._see(list(map(str, (sys.base_prefix, sys.prefix, ROOT, images))))

    def _see(self, places: list[str]) -> subprocess.Popen[str]:
        places = list(dict.fromkeys(os.path.realpath(place) for place in places))
        places = [*places, *([sys.prefix] if os.path.islink(sys.prefix) else [])]
        above = [_closed(place) for place in places]
        closed = list(dict.fromkeys(str(place) for place in above if place))
        command = ["unshare", "--mount", "sh", "-ec", SEEN, "sh", "/mnt", *closed, "--", *places]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def begin(self, group: Path) -> list[str]:
        """Begin of a command that the user runs in a control group."""
        enter = ["nsenter", "-t", str(self._seen.pid), "--mount", f"--wd={ROOT}", "--"]
        variables = [
            f"USER={self.name}", f"LOGNAME={self.name}", f"HOME={self.folder}",
            "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", f"PYTHONPATH={ROOT}",
        ]  # fmt: skip
        return [*enter, "env", "-i", *variables, "sh", "-ec", START, "sh", str(group)]

    @property
    def within(self) -> list[str]:
        """Begin of a command that the user runs in the group that it may divide."""
        return self.begin(self.group)

    def run(
        self, *command: str, check: bool = True, group: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A program of the user's, to its end."""
        words = [*self.begin(group or self.group), *command]
        return subprocess.run(words, capture_output=True, text=True, check=check)

    def lab(
        self, *words: str, check: bool = True, group: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The lab's program, started by the user."""
        return self.run(sys.executable, "-m", "lab", *words, check=check, group=group)

    def lacking(self, group: Path | None = None) -> str | None:
        """Why the lab could not run guests of the user's, in its words."""
        told = self.lab("engine", "--state", str(self.folder / "asked"), group=group)
        reason: str | None = json.loads(told.stdout)["reason"]
        return reason

    def programs(self) -> list[str]:
        """What runs as the user, its subordinate ids left out."""
        asked = ["ps", "-o", "args=", "-U", self.name]
        return subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()

    def close(self) -> None:
        """Leave nothing."""
        assert self._seen.stdin is not None
        self._seen.stdin.close()
        self._seen.wait()
        if self._seen.stdout is not None:
            self._seen.stdout.close()
        shutil.rmtree(self.folder)
        groups.remove_tree(self.group)
        subprocess.run(["userdel", self.name], check=True, capture_output=True)


def _closed(place: str) -> Path | None:
    """The first folder above a place that only its owner may go through."""
    for folder in reversed(Path(place).parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
