"""The program that works on a guest's files: shut into them, and careful with what is there."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import uuid
from pathlib import Path

import pytest

from plan.disk_program import PROGRAM

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
ROOT_X86 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
SYSTEM = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


def run(do: str, root: Path, *words: str, given: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run(
        ["perl", "-e", PROGRAM, do, str(root), *words],
        input=given,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A guest's root folder; needs a machine's root, as shutting oneself in does."""
    if os.geteuid() != 0:
        pytest.skip("a guest's files are reached as root only")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "shadow").write_text("root:*:\n")
    (root / "etc" / "shadow").chmod(0o640)
    os.chown(root / "etc" / "shadow", 0, 42)
    (tmp_path / "secret").write_text("of the host\n")
    return root


def test_a_folder_is_listed_with_numbers_of_owners(root: Path) -> None:
    (root / "etc" / "passwd").symlink_to("shadow")
    os.mkfifo(root / "etc" / "pipe")
    (root / "etc" / "bad\x1b[2Jname").write_text("")
    code, out, errors = run("ls", root, "/etc")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("bad?[2Jname")
    assert lines[1].endswith(" passwd -> shadow")
    assert lines[2].startswith("prw-r--r--")
    assert lines[3].split()[:4] == ["-rw-r-----", "0", "42", "8"]
    assert run("ls", root, "etc/shadow")[1].split()[:3] == ["-rw-r-----", "0", "42"]
    (root / "etc" / "su").write_text("")
    (root / "etc" / "su").chmod(0o6755)
    assert run("ls", root, "etc/su")[1].startswith("-rwsr-sr-x")


def test_a_file_is_read_and_written_with_its_owner_and_mode(root: Path) -> None:
    assert run("get", root, "/etc/shadow") == (0, "root:*:\n", "")
    given = b"root:$6$x:\n\x00\xff"
    assert run("put", root, "/etc/shadow", str(len(given)), given=given) == (0, "", "")
    file = root / "etc" / "shadow"
    found = file.stat()
    assert file.read_bytes() == given
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, 42)
    assert os.listdir(root / "etc") == ["shadow"]


def test_a_new_file_is_roots_and_readable(root: Path) -> None:
    assert run("put", root, "etc/motd", "2", given=b"hi")[0] == 0
    assert stat.S_IMODE((root / "etc" / "motd").stat().st_mode) == 0o644
    assert run("put", root, "/absent/motd", "2", given=b"hi")[0] == 1


def test_what_breaks_off_in_the_middle_changes_nothing(root: Path) -> None:
    code, _, errors = run("put", root, "/etc/shadow", "20", given=b"root:")
    assert (code, errors) == (1, "broke off in the middle; nothing was changed\n")
    assert (root / "etc" / "shadow").read_text() == "root:*:\n"
    assert os.listdir(root / "etc") == ["shadow"]


@pytest.mark.parametrize("target", ["../../secret", "{outside}"])
def test_a_link_of_a_participant_leads_nowhere_outside(root: Path, target: str) -> None:
    outside = root.parent / "secret"
    (root / "etc" / "out").symlink_to(target.format(outside=outside))
    code, out, errors = run("get", root, "/etc/out")
    assert (code, out) == (1, "")
    assert "No such file" in errors
    run("put", root, "/etc/out", "1", given=b"x")
    run("put", root, "/../../secret", "1", given=b"x")
    assert outside.read_text() == "of the host\n"


def test_a_link_within_is_followed_and_stays(root: Path) -> None:
    (root / "etc" / "link").symlink_to("/etc/shadow")
    assert run("put", root, "/etc/link", "3", given=b"abc")[0] == 0
    assert (root / "etc" / "link").is_symlink()
    assert (root / "etc" / "shadow").read_text() == "abc"


def test_what_is_no_file_is_neither_read_nor_written(root: Path) -> None:
    os.mkfifo(root / "etc" / "pipe")
    for do, more in (("get", ()), ("put", ("1",))):
        for path in ("/etc/pipe", "/etc"):
            code, _, errors = run(do, root, path, *more, given=b"x")
            assert (code, errors) == (1, f"{path}: is no plain file\n")


def table(*partitions: tuple[str, int]) -> bytes:
    """A disk with a GPT."""
    head = b"EFI PART" + b"\0" * 64 + struct.pack("<QII", 2, 128, 128)
    entries = b"".join(
        uuid.UUID(kind).bytes_le + b"\0" * 16 + struct.pack("<QQ", first, first + 100) + b"\0" * 80
        for kind, first in partitions
    )
    return b"\0" * 512 + head.ljust(512, b"\0") + entries.ljust(128 * 128, b"\0")


@pytest.mark.parametrize(
    ("disk", "start"),
    [
        (table((SYSTEM, 2048), (LINUX, 4096), (LINUX, 9999)), "2097152"),
        (table((LINUX, 4096), (ROOT_X86, 8192)), "4194304"),
        (b"\0" * 4096, "0"),
        (b"\0" * 446 + b"\0" * 16 + b"\0\0\0\0\x83\0\0\0" + struct.pack("<II", 2048, 9) + b"\0" * 32
         + b"\x55\xaa", "1048576"),
    ],
)  # fmt: skip
def test_the_systems_partition_is_found(tmp_path: Path, disk: bytes, start: str) -> None:
    (tmp_path / "disk").write_bytes(disk)
    assert run("start", tmp_path / "disk") == (0, f"{start}\n", "")


def test_a_disk_without_such_a_partition_is_told(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(table((SYSTEM, 2048)))
    assert run("start", tmp_path / "disk")[0] == 1
