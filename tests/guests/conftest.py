"""One image, one lab with two guests, and one event of two clusters for the whole tier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.engines.lxc.availability import unavailable
from lab.engines.lxc.images import default_folder
from tests.guests.ground import Ground
from tests.guests.pair import Pair
from tests.image.conftest import built, cannot


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts guests in this folder is of the guests tier."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "images" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.guests)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of built images, with the one that is needed in it; else the tests are skipped
    with one sentence."""
    if reason := unavailable(tmp_path_factory.getbasetemp()):
        cannot(reason)
    built()
    return default_folder()


@pytest.fixture(scope="module")
def ground(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A head on pve1 (101, 10.0.0.1) and its node on pve2 (102, 10.0.0.2), both running."""
    ground = Ground(tmp_path_factory.mktemp("guests"), images)
    try:
        ground.template()
        ground.guest(101, "c01", "pve1", "10.0.0.1", nameserver="198.51.100.2")
        ground.guest(102, "c01-n1", "pve2", "10.0.0.2")
        for host, vmid in (("pve1", 101), ("pve2", 102)):
            ground.wait_for_agent(host, vmid)
            ground.wait_until(host, vmid, "test", "-e", "/var/lib/cloud/data/result.json")
        yield ground
    finally:
        ground.close()


@pytest.fixture(scope="session")
def pair(
    images: Path, engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """An event of two clusters of a head and a node. Its guests are made by the first `up`."""
    pair = Pair(tmp_path_factory.mktemp("pair"))
    pair.prepare()
    yield pair
    pair.call("lab", "reset", str(pair.file("lab")), "--yes")
    pair.close()
