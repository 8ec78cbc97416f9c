"""With `--sweep`: an event on images that its site uploads, and one whose `up` builds its image."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.engines.lxc.images import default_folder
from tests.engine.practice import Practice
from tests.guests.ground import traces
from tests.guests.test_event import HEAD, NODE, logged_in, run
from tests.guests.uploaded import SAYING, marked
from tests.image.conftest import built

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(
        not os.environ.get("PRACTICUM_SWEEP"), reason="images are sent and built with --sweep"
    ),
]
PLACE = """\
      debian-12: {vmid: 9000, volume: "shared:import/debian-12.qcow2", storage: shared, diskGib: 8}
"""
STAND_IN = """\
    volumes:
      - {volume: "shared:import/debian-12.qcow2", sizeGib: 2}
"""
SECOND_NODE = "200112"
BEGUN_S = 300


@pytest.fixture
def practice(images: Path, engine: dict[str, Any], tmp_path: Path) -> Iterator[Practice]:
    """A cluster of a head and a node, on a machine that has compiled programs and no image."""
    kept = tmp_path / "cache" / "practicum"
    kept.mkdir(parents=True)
    for name in ("toolchain", "programs"):
        if (there := default_folder().parent / name).exists():
            (kept / name).symlink_to(there)
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    practice = Practice(tmp_path / "practice", engine="auto", variables=variables)
    practice.edit("laptop", "count: 2, cores: 1", "count: 1, cores: 1")
    yield practice
    practice.call("lab", "reset", str(practice.file("lab")), "--yes")
    practice.close()


def own_images(practice: Practice) -> Path:
    return Path(practice.variables["XDG_CACHE_HOME"]) / "practicum" / "images"


def told(practice: Practice) -> str:
    done = practice.call("up", str(practice.file("laptop")))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def says(practice: Practice, vmid: str) -> str:
    """The first line of a guest's message of the day, by its agent."""
    (host,) = {str(each["node"]) for each in practice.guests() if str(each["vmid"]) == vmid}
    return run(practice, host, vmid, f"head -n 1 {SAYING}")


def test_guests_start_from_what_their_site_has_uploaded_and_from_nothing_of_this_machine(
    practice: Practice,
) -> None:
    before = traces(practice.state / "lab" / "lab")
    files = _offered(practice)
    practice.good("up", "lab")
    for file in files:
        file.unlink()
    (line,) = re.findall(r"^log in: (.*)$", told(practice), re.MULTILINE)
    places = {str(each["vmid"]): each["node"] for each in practice.guests()}
    assert places[HEAD] != places[NODE]
    assert (says(practice, HEAD), says(practice, NODE)) == ("built\n", "filed\n")
    read = f"hostname && head -n 1 {SAYING}"
    assert logged_in(practice, line, read) == "c01-head\nbuilt\n"
    inner = f"./practicum ssh {practice.file('laptop')} c01/n1"
    assert logged_in(practice, inner, read) == "c01-n1\nfiled\n"
    assert practice.call("lab", "stop", str(practice.file("lab"))).returncode == 0
    practice.edit("laptop", "count: 1, cores: 1", "count: 2, cores: 1")
    practice.good("up", "laptop")
    assert [says(practice, each) for each in (HEAD, NODE, SECOND_NODE)] == [
        "built\n", "filed\n", "filed\n",
    ]  # fmt: skip
    practice.good("destroy", "laptop")
    practice.good("destroy", "lab")
    kept = practice.state / "lab" / "lab" / "files"
    assert [path for path in kept.rglob("*") if path.is_file()] == []
    assert practice.call("lab", "reset", str(practice.file("lab")), "--yes").returncode == 0
    assert traces(practice.state / "lab" / "lab") == before


def _offered(practice: Practice) -> list[Path]:
    """Two images that the site shall upload, one as built here, to a storage of its first host
    alone, and one as a file; a stand-in there is none."""
    record = built()
    files = [own_images(practice) / "debian-12-plain.qcow2", practice.folder / "mine.qcow2"]
    sums = []
    for file, word in zip(files, ("built", "filed"), strict=True):
        file.parent.mkdir(exist_ok=True)
        marked(default_folder() / record["file"], file, record["rootOffset"], word)
        with file.open("rb") as opened:
            sums.append(hashlib.file_digest(opened, "sha256").hexdigest())
    rest = "storage: shared, diskGib: 8}\n"
    practice.edit("lab", PLACE, f"      debian-12: {{vmid: 9000, build: debian-12-plain, "
                  f"sha256: {sums[0]}, importStorage: local, {rest}"
                  f"      mine: {{vmid: 9001, file: {files[1]}, sha256: {sums[1]}, "
                  f"importStorage: shared, {rest}")  # fmt: skip
    practice.edit("lab", STAND_IN, "")
    practice.edit("laptop", "compute: {image: debian-12,", "compute: {image: mine,")
    return files


def test_up_builds_the_image_that_is_not_there_and_one_that_is_ended_meanwhile_leaves_nothing(
    practice: Practice,
) -> None:
    folder = own_images(practice)
    _ended_while_it_builds(practice, folder)
    (folder / "work.of-one-that-was-killed" / "root").mkdir(parents=True)
    text = told(practice)
    assert "image debian-12-plain is not there yet and is built now, about a minute" in text
    assert re.search(r"^ *debian-12-plain: \d+ packages; writing the disk$", text, re.MULTILINE)
    (line,) = re.findall(r"^log in: (.*)$", text, re.MULTILINE)
    assert logged_in(practice, line, "hostname") == "c01-head\n"
    record = json.loads((folder / "debian-12-plain.json").read_text())
    with (folder / "debian-12-plain.qcow2").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == record["sha256"]
    assert list(folder.glob("work.*")) == []
    practice.good("destroy", "laptop")


def _ended_while_it_builds(practice: Practice, folder: Path) -> None:
    process = practice.start("up", "laptop")
    until = time.monotonic() + BEGUN_S
    while not list(folder.glob("work.*/*/var/lib/dpkg/info/*.list")):  # packages are unpacked
        assert process.poll() is None, "up has ended before the image's packages came"
        assert time.monotonic() < until, "no package is installed"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert [path.name for path in folder.iterdir() if path.name.startswith("work.")] == []
    assert not (folder / "debian-12-plain.qcow2").exists()
    assert _at_work_in(folder) == []
    assert str(folder) not in Path("/proc/self/mounts").read_text()


def _at_work_in(folder: Path) -> list[str]:
    """Processes that name a folder, are in it or have it as their root."""
    found = []
    for pid in os.listdir("/proc"):
        try:
            text = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            places = [os.readlink(f"/proc/{pid}/{each}") for each in ("cwd", "root")]
        except OSError:
            continue
        if any(str(folder) in each for each in (text, *places)):
            found.append(text.replace("\0", " "))
    return found
