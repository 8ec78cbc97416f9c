"""Images of this machine, sent to a site through its API: kept, refused, and one beside another."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from tests.engine.practice import Practice

pytestmark = pytest.mark.engine
PLACE = 'debian-12: {vmid: 9000, volume: "shared:import/debian-12.qcow2", '


def make(file: Path, content: bytes) -> str:
    """A small qcow2 with something in it; its checksum."""
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 8 << 30)
    file.write_bytes(header + content * 20_000)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def place(vmid: int, file: Path, digest: str) -> str:
    return f"{{vmid: {vmid}, file: {file}, sha256: {digest}, importStorage: shared, "


def uploads(practice: Practice) -> list[str]:
    return [each for each in practice.writes() if each.endswith("/upload")]


def images(practice: Practice) -> set[str]:
    rows = practice.api("GET", "nodes/pve01/storage/shared/content?content=import")
    return {str(row["volid"]) for row in rows}


def test_an_image_of_this_machine_becomes_a_template_that_events_start_from(
    practice: Practice,
) -> None:
    first = make(practice.folder / "own.qcow2", b"one")
    practice.edit("lab", PLACE, f"debian-12: {place(9000, practice.folder / 'own.qcow2', first)}")
    assert practice.good("up", "laptop").summary["done"] == 3
    assert len(uploads(practice)) == 1
    assert f"shared:import/debian-12-{first[:12]}.qcow2" in images(practice)
    kept = practice.state / "lab" / "lab" / "files" / "shared"
    (sent,) = kept.rglob(f"debian-12-{first[:12]}.qcow2")
    assert hashlib.sha256(sent.read_bytes()).hexdigest() == first


def test_a_file_that_is_built_anew_changes_nothing_by_itself(practice: Practice) -> None:
    make(practice.folder / "own.qcow2", b"another")
    before = practice.writes()
    for stack in ("lab", "laptop"):
        assert practice.good("refresh", stack).summary["drift"] == {}
        assert practice.good("up", stack).changes == {}
    (practice.folder / "own.qcow2").unlink()
    assert practice.good("up", "lab").changes == {}
    assert practice.writes() == before


def test_its_new_checksum_is_refused_under_the_guests_and_taken_beside_them(
    practice: Practice,
) -> None:
    file = practice.folder / "own.qcow2"
    text, before = practice.file("lab").read_text(), practice.writes()
    new = make(file, b"another")
    old = text.partition("sha256: ")[2].partition(",")[0]
    practice.edit("lab", old, new)
    refused = practice.run("up", "laptop")
    assert refused.code == 1
    assert "another image than the one that template 9000 was made from" in refused.errors
    assert practice.writes() == before
    practice.edit("lab", new, old)
    practice.edit("lab", "    images:\n", f"    images:\n      debian-12b: {place(9001, file, new)}"
                  "storage: shared, diskGib: 8}\n")  # fmt: skip
    assert set(practice.good("up", "laptop").changes) <= {"create"}
    assert {each["vmid"] for each in practice.guests() if each["template"]} == {9000, 9001}
    assert f"shared:import/debian-12b-{new[:12]}.qcow2" in images(practice)


def test_nothing_of_the_images_is_left_after_destroy(practice: Practice) -> None:
    practice.good("destroy", "laptop")
    practice.good("destroy", "lab")
    assert practice.marked() == []
    assert images(practice) == {"shared:import/debian-12.qcow2"}
