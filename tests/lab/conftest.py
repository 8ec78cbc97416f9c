"""A served lab for each test that asks for one."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.direct import SEED
from tests.lab.program import Program
from tests.lab.served import ServedLab

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is such a place: a lab waits for the disk at each write."""
    folder = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lab-", dir=folder) as name:
        yield Path(name)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ServedLab]:
    served = ServedLab(tmp_path, SEED)
    yield served
    served.close()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Labs as programs, which a test puts here; none outlives it."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.end(signal.SIGKILL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is of the wire tier, if it says nothing else."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.wire)
