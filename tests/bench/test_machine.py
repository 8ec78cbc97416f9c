"""What is said of the machine: enough to judge a figure, nothing that names it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from bench.machine import machine, processor, versions

FOLDER = Path(__file__).resolve().parents[2] / "bench"


def test_a_machine_is_described_without_its_name() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["memoryGib"] > 0
    assert platform.node() not in str(found).split()


def test_the_processor_falls_back_to_the_architecture() -> None:
    assert processor(["flags\t: fpu", "model name\t: Some Chip 9"]) == "Some Chip 9"
    assert processor([]) == platform.machine()


def test_versions_name_what_the_figures_depend_on() -> None:
    assert {"python", "pulumi", "pulumi-proxmoxve", "pydantic"} <= versions().keys()


def test_committed_results_hold_no_path() -> None:
    for path in (FOLDER / "results.json", FOLDER / "RESULTS.md"):
        if path.exists():
            assert not re.search(r"(?<![\w.}])/(root|home|tmp|work|usr)/", path.read_text())
