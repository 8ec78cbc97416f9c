"""What must not be in an image that many guests start from, removed and looked for.

Host keys and machine ids would be shared by all guests; lists, caches and logs belong to the
machine that built it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

# Whole files, by pattern below the root of the tree.
UNWANTED = (
    "etc/ssh/ssh_host_*",
    "etc/munge/munge.key",
    "etc/resolv.conf.bak",
    "etc/.resolv.conf.systemd-resolved.bak",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/*-",
    "etc/.pwd.lock",
    "root/.bash_history",
    "root/.wget-hsts",
    "usr/share/**/*.dpkg-new",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/archives/lock",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt/lists/*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/cloud/*",
    "var/lib/dpkg/*-old",
    "initrd.img.old",
    "vmlinuz.old",
)
# Folders that are kept and must be empty of files.
EMPTY = ("tmp", "var/tmp", "run", "var/log", "dev", "proc", "sys")
MACHINE_ID = "etc/machine-id"


def clean(tree: Path) -> None:
    """Remove what is unwanted from a tree that nothing runs in."""
    for pattern in UNWANTED:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in EMPTY:
        _empty(tree / name, keep_folders=name == "var/log")
    (tree / MACHINE_ID).write_text("")
    (tree / MACHINE_ID).chmod(0o444)


def _empty(folder: Path, *, keep_folders: bool) -> None:
    # Services do not make the folders of their logs themselves: those stay.
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            if keep_folders:
                _empty(path, keep_folders=True)
            else:
                shutil.rmtree(path)
        else:
            path.unlink()


def faults(tree: Path) -> list[str]:
    """What is in a tree and must not be, as sentences; none when it is clean."""
    found = [
        f"{path.relative_to(tree)} is left over"
        for pattern in UNWANTED
        for path in sorted(tree.glob(pattern))
    ]
    for name in EMPTY:
        rest = [path for path in (tree / name).rglob("*") if not path.is_dir()]
        found += [f"{path.relative_to(tree)} is left over" for path in sorted(rest)]
    machine_id = tree / MACHINE_ID
    if not machine_id.is_file() or machine_id.read_bytes():
        found.append(f"{MACHINE_ID} is not an empty file")
    found += [
        f"{name} has a password"
        for name, secret in _shadow(tree)
        if secret and not secret.startswith(("*", "!"))
    ]
    return found


def _shadow(tree: Path) -> list[tuple[str, str]]:
    lines = (tree / "etc/shadow").read_text().splitlines()
    return [(parts[0], parts[1]) for line in lines if len(parts := line.split(":")) > 1]
