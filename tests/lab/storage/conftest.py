"""A lab without guests for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.direct import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)
