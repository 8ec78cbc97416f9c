"""Labs whose waits of ten seconds take less than half of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.realistic import limits
from tests.lab.direct import SEED
from tests.lab.served import ServedLab

CLOCK = 0.04


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    """A plain lab with a fast clock."""
    served = ServedLab(tmp_path, SEED, limits=limits(realistic=False, clock=CLOCK))
    yield served
    served.close()


@pytest.fixture
def realistic(tmp_path: Path) -> Iterator[ServedLab]:
    """A lab with Proxmox VE's limits, where a clone holds its storage for 2 s of the cluster."""
    served = ServedLab(tmp_path, SEED, limits=limits(realistic=True, clone_s=2.0, clock=CLOCK))
    yield served
    served.close()
