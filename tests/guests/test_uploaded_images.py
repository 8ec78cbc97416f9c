"""Images that were uploaded to one host, as guests of another have them, and when they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engines.lxc.images import find
from lab.engines.qemu.availability import unavailable
from tests.guests.ground import Ground
from tests.guests.uploaded import send
from tests.image.conftest import cannot

pytestmark = pytest.mark.guests
ORIGINAL, COPY = ("pve2", 301), ("pve2", 302)
ENGINES = ("lxc", "qemu")


@pytest.fixture(params=ENGINES)
def ground(images: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """A lab that has no image of its own, and a template of one that came to a single host and
    was removed there."""
    if request.param == "qemu" and (reason := unavailable()):
        cannot(reason)
    none = tmp_path / "none"
    none.mkdir()
    ground = Ground(tmp_path, none, request.param)
    try:
        where = {"type": "dir", "path": "/var/lib/site", "content": "import,iso"}
        ground.call("POST", "storage", storage="own", **where).ok()
        sent = tmp_path / "mine.qcow2"
        sent.symlink_to(find(images, "pool:import/debian-12.qcow2"))
        volume = send(ground, "pve1", "own", sent)
        ground.template(volume, scsihw="virtio-scsi-single", serial0="socket", kvm=0)
        ground.task("DELETE", f"nodes/pve1/storage/own/content/{volume}")
        yield ground
    finally:
        ground.close()


@pytest.mark.parametrize("full", [0, 1], ids=["linked", "full"])
def test_guests_on_other_hosts_start_from_an_image_that_is_gone_where_it_was_uploaded(
    ground: Ground, full: int
) -> None:
    host, vmid = ORIGINAL
    ground.task(
        "POST", "nodes/pve1/qemu/9000/clone", newid=vmid, name="original", target=host, full=full
    )
    ground.task("POST", f"nodes/{host}/qemu/{vmid}/clone", newid=COPY[1], name="copy", full=1)
    for number in (vmid, COPY[1]):
        ground.task("POST", f"nodes/{host}/qemu/{number}/status/start")
    if ground.engine == "lxc":  # machines take a minute of computing; that they start is enough
        for each in (ORIGINAL, COPY):
            ground.wait_for_agent(*each)
            assert ground.run(*each, "cat", "/etc/debian_version")[1].startswith("12.")
