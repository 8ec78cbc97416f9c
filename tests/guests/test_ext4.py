"""Files of an image, read out of its file system without a mount: all, just as they were."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.engines.lxc.ext4 import copy_out
from lab.errors import TaskError

FORMS = {
    "as Debian makes them": ["-t", "ext4", "-b", "4096"],
    "with blocks of 1 KiB": ["-t", "ext4", "-b", "1024", "-O", "^64bit"],
    "without extents": ["-t", "ext4", "-b", "1024", "-O", "^extent,^64bit,^metadata_csum"],
    "with small inodes": ["-t", "ext4", "-b", "4096", "-I", "128", "-O", "^extra_isize"],
}
OFFSET = 1 << 20
pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(shutil.which("mke2fs") is None, reason="mke2fs is not on PATH"),
]


def image(tree: Path, *options: str) -> Path:
    """A disk with a partition that holds a tree."""
    raw = tree.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate(80 << 20)
    place = ["-E", f"offset={OFFSET}", str(raw), "70M"]
    command = ["mke2fs", "-q", "-F", "-d", str(tree), *options, *place]
    subprocess.run(command, check=True)
    return raw


def tree_of(folder: Path) -> Path:
    """All kinds of files that an image has."""
    tree = folder / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "many").mkdir()
    for number in range(250):  # a folder with an index
        (tree / "many" / f"a file with a rather long name, number {number}").touch()
    (tree / "empty").touch()
    (tree / "large").write_bytes(bytes(range(256)) * 12000)  # beyond the direct blocks
    with (tree / "holes").open("wb") as file:
        for place in (0, 700_000, 9_000_000, 30_000_000):
            file.seek(place)
            file.write(b"something")
        file.truncate(40_000_000)
    (tree / "program").write_text("#!/bin/sh\n")
    (tree / "program").chmod(0o4755)
    os.link(tree / "program", tree / "deep/same program")
    (tree / "short").symlink_to("deep/er")
    (tree / "long").symlink_to("/".join(["a-long-way"] * 20))
    (tree / "nowhere").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    (tree / "deep").chmod(0o1777)
    os.setxattr(tree / "program", "user.note", b"x" * 40)
    os.setxattr(tree / "empty", "user.note", b"y" * 300)  # too long for the inode
    if os.geteuid() == 0:
        os.chown(tree / "deep", 1000, 70000)
        os.setxattr(
            tree / "large", "security.capability", bytes.fromhex("0100000200200000" + "0" * 24)
        )
    os.utime(tree / "large", (1, 1_700_000_000))
    return tree


def seen(tree: Path) -> dict[str, Any]:
    """What there is to see of a tree."""
    found: dict[str, Any] = {}
    paths = [tree, *(Path(p, n) for p, ds, fs in os.walk(tree) for n in [*ds, *fs])]
    groups: dict[int, list[str]] = {}
    for path in paths:
        name = str(path.relative_to(tree))
        if name.startswith("lost+found"):
            continue
        status = path.lstat()
        regular, link = stat.S_ISREG(status.st_mode), path.is_symlink()
        time = status.st_mtime_ns // 10**9  # mke2fs keeps no more
        names = os.listxattr(path, follow_symlinks=False)
        found[name] = (
            status.st_mode, status.st_uid, status.st_gid, None if path == tree else time,
            path.read_bytes() if regular else os.readlink(path) if link else None,
            {each: os.getxattr(path, each, follow_symlinks=False) for each in sorted(names)},
        )  # fmt: skip
        if regular:
            groups.setdefault(status.st_ino, []).append(name)
    found["linked"] = sorted(sorted(names) for names in groups.values() if len(names) > 1)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_files_come_out_as_they_went_in(tmp_path: Path, form: str) -> None:
    tree = tree_of(tmp_path)
    raw = image(tree, *FORMS[form])
    copy_out(raw, OFFSET, tmp_path / "out")
    assert seen(tmp_path / "out") == seen(tree)
    holes = (tmp_path / "out/holes").stat()
    assert holes.st_blocks * 512 < holes.st_size / 10


def test_times_are_kept_to_the_nanosecond_and_beyond_2038(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").touch()
    raw = image(tree, *FORMS["as Debian makes them"])
    for field, value in (("mtime", 0x70000000), ("mtime_extra", 123_456_789 << 2 | 1)):
        order = f"set_inode_field file {field} {value:#x}"
        subprocess.run(["debugfs", "-w", "-R", order, f"{raw}?offset={OFFSET}"], check=True)
    copy_out(raw, OFFSET, tmp_path / "out")
    moment = (0x70000000 + 2**32) * 10**9 + 123_456_789
    assert (tmp_path / "out/file").stat().st_mtime_ns == moment


@pytest.mark.parametrize(
    ("name", "bad"), [("up-and-out", b"../and-out"), ("below-this", b"below/this")]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str, bad: bytes) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / name).write_text("of whoever made the image")
    raw = image(tree, *FORMS["as Debian makes them"])
    raw.write_bytes(raw.read_bytes().replace(name.encode(), bad))
    with pytest.raises(TaskError, match="a name that is none"):
        copy_out(raw, OFFSET, tmp_path / "out")
    assert not (tmp_path / "and-out").exists()


def test_a_second_file_of_a_name_is_not_written_through_a_link(tmp_path: Path) -> None:
    tree, aside = tmp_path / "tree", tmp_path / "aside"
    tree.mkdir()
    aside.write_text("of the user")
    (tree / "name-one").symlink_to(aside)
    (tree / "name-two").write_text("of whoever made the image")
    raw = image(tree, *FORMS["as Debian makes them"])
    raw.write_bytes(raw.read_bytes().replace(b"name-two", b"name-one"))
    with pytest.raises(FileExistsError):
        copy_out(raw, OFFSET, tmp_path / "out")
    assert aside.read_text() == "of the user"


def test_what_is_no_ext4_or_has_unknown_features_is_refused_in_one_line(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("short")
    inline = image(tree, "-t", "ext4", "-I", "256", "-O", "inline_data")
    with pytest.raises(TaskError, match="start the lab as root"):
        copy_out(inline, OFFSET, tmp_path / "out")
    with pytest.raises(TaskError, match="is not ext4"):
        copy_out(inline, 0, tmp_path / "out")
    inline.write_bytes(inline.read_bytes()[: OFFSET + 4096])
    with pytest.raises(TaskError):
        copy_out(inline, OFFSET, tmp_path / "out")
    assert not (tmp_path / "out").exists()
