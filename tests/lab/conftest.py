"""A served lab for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.direct import SEED
from tests.lab.served import ServedLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    served = ServedLab(tmp_path, SEED)
    yield served
    served.close()
