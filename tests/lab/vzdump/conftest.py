"""A lab with one guest of each kind that can be saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.direct import Api
from tests.lab.lxc.conftest import TEMPLATE, seed


@pytest.fixture
def api(tmp_path: Path) -> Api:
    made = Api(tmp_path, seed())
    made.create(
        100, name="web", memory="64", net0="virtio,bridge=vmbr0", description="kept",
        scsi0="pool:0,import-from=pool:import/debian.qcow2", ide2="pool:cloudinit",
        scsi1="pool:1,backup=0",
    )  # fmt: skip
    made.done(
        "POST", "nodes/pve1/lxc", vmid="200", ostemplate=TEMPLATE, hostname="ct", rootfs="thin:2",
        net0="name=eth0,bridge=vmbr0", mp0="thin:1,mp=/data",
    )  # fmt: skip
    return made
