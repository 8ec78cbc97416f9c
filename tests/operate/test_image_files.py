"""Files to upload are what their checksum says, and an image is not changed under its guests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from event.stack import SiteStack
from operate.deployed import Deployed, read_export
from operate.image_files import image_problems
from operate.places import Places
from operate.stacks import load
from operate.survey import Seen, SeenGuest
from plan.plan import plan_site
from plan.records import SitePlan

CONTENT = b"an image"
SUM = hashlib.sha256(CONTENT).hexdigest()
VOLUME = f"shared:import/debian-12-{SUM[:12]}.qcow2"
NOBODY = Seen(version="9.0", hosts={}, guests={}, storages={}, bridges={}, pools=frozenset())
PLACE = 'volume: "shared:import/debian-12.qcow2"'


class Ground:
    """The checkout of a site whose image comes from this machine."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.image = places.root / "own.qcow2"
        self.image.write_bytes(CONTENT)

    def told(
        self, source: str, state: Deployed | None = None, seen: Seen = NOBODY, digest: str = SUM
    ) -> str:
        path = self.places.stacks / "Pulumi.site.yaml"
        text = path.read_text().replace(PLACE, f"{source}, sha256: {digest}, importStorage: shared")
        mine = self.places.stacks / "Pulumi.mine.yaml"
        mine.write_text(text)
        stack = load("mine", self.places)
        assert isinstance(stack, SiteStack)
        plan: SitePlan = plan_site(stack)
        return "\n".join(map(str, image_problems(stack, plan, state, seen, self.places)))


@pytest.fixture
def ground(places: Places) -> Ground:
    return Ground(places)


def template(volume: str) -> Deployed:
    resource: dict[str, Any] = {
        "urn": "urn:pulumi:mine::practicum::proxmoxve:index/vmLegacy:VmLegacy::debian-12-pve01",
        "type": "proxmoxve:index/vmLegacy:VmLegacy",
        "inputs": {"vmId": 9000, "disks": [{"importFrom": volume}]},
    }
    return read_export({"deployment": {"resources": [resource]}})


def there() -> Seen:
    guest = SeenGuest(
        vmid=9000, name="debian-12", host="pve01", kind="qemu", template=True, tags=frozenset()
    )
    return replace(NOBODY, guests={9000: guest})


def test_a_file_that_is_what_its_checksum_says_is_fit(ground: Ground) -> None:
    assert ground.told("file: own.qcow2") == ""


def test_another_file_is_refused_with_its_own_checksum(ground: Ground) -> None:
    ground.image.write_bytes(b"built anew")
    told = ground.told("file: own.qcow2")
    assert "site.images.debian-12.sha256" in told
    assert f"is not that of {ground.image}" in told
    assert f"write sha256: {hashlib.sha256(b'built anew').hexdigest()}" in told


def test_a_file_that_is_not_there_is_named_with_what_to_do(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "own2.qcow2: No such file or directory" in ground.told("file: own2.qcow2")
    told = ground.told("build: debian-12-plain")
    assert "type: ./practicum image build debian-12 --flavour plain" in told


def test_what_the_site_has_already_is_not_looked_for_here(ground: Ground) -> None:
    resource: dict[str, Any] = {
        "urn": "urn:pulumi:mine::practicum::proxmoxve:index/fileLegacy:FileLegacy::file",
        "type": "proxmoxve:index/fileLegacy:FileLegacy",
        "inputs": {
            "nodeName": "pve01", "datastoreId": "shared",
            "sourceFile": {"fileName": VOLUME.rpartition("/")[2]},
        },
    }  # fmt: skip
    state = read_export({"deployment": {"resources": [resource]}})
    ground.image.unlink()
    assert ground.told("file: own.qcow2", state) == ""


def test_another_image_for_a_template_that_is_there_is_refused(ground: Ground) -> None:
    assert ground.told("file: own.qcow2", template(VOLUME), there()) == ""
    told = ground.told("file: own.qcow2", template("shared:import/debian-12-old.qcow2"), there())
    assert "another image than the one that template 9000 was made from" in told
    assert "write it as a further image, with a name and a VMID of its own" in told
    gone = ground.told("file: own.qcow2", template("shared:import/debian-12-old.qcow2"))
    assert gone == ""
