"""Places of a test: a state folder of its own, and a checkout with stack files of its own."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from operate.places import ROOT, Places

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
