"""Places of a test: a state folder of its own, a checkout with stack files of its own, its site."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from event.stack import EventStack, SiteStack
from operate.api import Api
from operate.places import ROOT, Places
from operate.stacks import load
from plan.plan import plan_event
from plan.records import EventPlan
from tests.operate.stand_in import TOKEN, StandIn, healthy

SITE = """\
config:
  practicum:site:
    title: A site of two
    api: {endpoint: "https://127.0.0.1:PORT", insecure: true}
    hosts:
      - {name: "pve[01-02]", cores: 16, memoryGib: 32, diskGib: 400}
    storages:
      local: {type: dir, content: [iso, import]}
      shared: {type: nfs, shared: true, sizeGib: 1000, content: [images, import]}
    images:
      debian-12: {vmid: 9000, volume: "shared:import/debian-12.qcow2", storage: shared, diskGib: 8}
    network:
      exposed: {bridge: vmbr0, subnet: 198.51.100.0/24, gateway: 198.51.100.1}
"""
LAB = """\
  practicum:lab:
    engine: none
    volumes:
      - {volume: "shared:import/debian-12.qcow2", sizeGib: 2}
"""
EVENT = """\
config:
  practicum:event:
    title: A small event
    on: site
    clusters: {count: 2}
    nodeGroups:
      head: {image: debian-12, cores: 2, memoryMib: 1024, exposed: true}
      compute: {image: debian-12, count: 1}
    network: {exposedAddresses: 198.51.100.10-198.51.100.20}
    vmids: 100000-100999
"""


@pytest.fixture
def port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def places(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A checkout with the stacks `site` (a real one), `labsite`, and `event` on `site`."""
    root = tmp_path / "checkout"
    (root / "stacks").mkdir(parents=True)
    site = SITE.replace("PORT", str(port))
    (root / "stacks" / "Pulumi.site.yaml").write_text(site)
    (root / "stacks" / "Pulumi.labsite.yaml").write_text(site + LAB)
    (root / "stacks" / "Pulumi.event.yaml").write_text(EVENT)
    (root / "stacks" / "Pulumi.labevent.yaml").write_text(EVENT.replace("site", "labsite"))
    for name in ("lab", "toolchain"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Pulumi.yaml", root)
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    return Places(root=root, state=tmp_path / "state")


@pytest.fixture
def site_api(tmp_path: Path, port: int) -> Iterator[StandIn]:
    """The API of the stack `site`, where all is well and no guest is."""
    server = StandIn(tmp_path, port)
    healthy(server.answers)
    yield server
    server.close()


@pytest.fixture
def api(port: int, site_api: StandIn) -> Api:
    """A caller of it."""
    return Api(f"https://127.0.0.1:{port}", TOKEN, insecure=True)


@pytest.fixture
def stack(places: Places) -> EventStack:
    """The stack `event`."""
    found = load("event", places)
    assert isinstance(found, EventStack)
    return found


@pytest.fixture
def plan(stack: EventStack) -> EventPlan:
    """What it means."""
    return plan_event(stack)


@pytest.fixture
def site(places: Places) -> SiteStack:
    """The stack `site`."""
    found = load("site", places)
    assert isinstance(found, SiteStack)
    return found
