"""A lab with storages for containers, and a template to make them from."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests.lab.direct import SEED, Api

TEMPLATE = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"


def seed() -> dict[str, object]:
    made = copy.deepcopy(SEED)
    for storage in made["storages"]:
        storage["content"].append("rootdir")
    made["storages"][1]["content"].append("backup")
    tank = {"id": "tank", "type": "zfspool", "pool": "tank", "content": ["images", "rootdir"]}
    made["storages"].append({**tank, "shared": False, "sizeGib": 100})
    made["volumes"].append({"volid": TEMPLATE, "sizeMib": 120})
    return made


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, seed())


@pytest.fixture
def container(api: Api) -> Api:
    """Container 200 on pve1, its root file system on `thin`."""
    api.done(
        "POST", "nodes/pve1/lxc", vmid="200", ostemplate=TEMPLATE, hostname="ct", rootfs="thin:2",
        net0="name=eth0,bridge=vmbr0,ip=10.0.0.5/24,gw=10.0.0.1", memory="256",
    )  # fmt: skip
    return api
