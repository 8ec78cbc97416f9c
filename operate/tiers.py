"""`test`: the test tiers in order, what was skipped and why, and one line that sums them up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as Xml
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from operate.places import Places

MARKED = (
    "wire",
    "conformance",
    "packets",
    "image",
    "guests",
    "scenarios",
    "faults",
    "engine",
    "acceptance",
)
"""Tiers that a marker of pytest selects, in the order of running."""

PRECEDENCE = (*(each for each in MARKED if each not in ("engine", "wire")), "engine", "wire")
"""A test with several markers belongs to the first of these: nearly all of them need the engine,
or a lab, as well."""

TIERS = ("house", "unit", *MARKED)
"""In the order of running: quick ones first."""

SWEEP = "PRACTICUM_SWEEP"
"""Set for `--sweep`: tests that take a sample by default go through every case."""

SHARES = (("event", "plan"), ("operate",))
"""Folders whose unit tests run at once with each other and with those of all other rooms."""

NOTHING = 5
"""What pytest says of a selection without tests."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the tests of some tiers."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def add(self, other: Counts) -> None:
        """Count another tier in."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.reasons.update(other.reasons)


def site_variables(**given: str) -> dict[str, str]:
    """What tells the acceptance tier which endpoint it may work on, and within what."""
    return {f"PRACTICUM_ACCEPTANCE_{name.upper()}": value for name, value in given.items() if value}


def selection(tier: str, places: Places) -> list[str]:
    """Arguments of pytest that select a tier: by its folder where it has one, else by marker."""
    house = places.root / "tests" / "house"
    if tier == "house":
        return [str(house)]
    if tier == "acceptance":
        return [str(places.root / "tests" / "acceptance"), "-m", _marks(tier)]
    return [str(places.root / "tests"), f"--ignore={house}", "-m", _marks(tier)]


def _marks(tier: str) -> str:
    """The expression of pytest for a tier: marked for it, and for no other that may take it."""
    if tier == "unit":
        return " and ".join(f"not {each}" for each in MARKED)
    before = PRECEDENCE[: PRECEDENCE.index(tier)]
    return " and ".join([tier, *(f"not {each}" for each in before)])


def run_tiers(tiers: list[str], keyword: str | None, places: Places, *, sweep: bool = False) -> int:
    """Run tiers one after the other; exit code 1 if a test has failed or none was found.

    With `sweep`, tests that take a sample by default go through every case.
    """
    if sweep:
        os.environ[SWEEP] = "1"
    total = Counts()
    broken = False
    for tier in tiers:
        print(f"── {tier}", flush=True)
        counts, code = _run(tier, keyword, places)
        total.add(counts)
        broken = broken or code not in (0, NOTHING)
    for reason, number in total.reasons.most_common():
        print(f"skipped {number}: {reason}")
    print(str(total))
    return 1 if broken or total.failed or not (total.passed + total.skipped) else 0


def _run(tier: str, keyword: str | None, places: Places) -> tuple[Counts, int]:
    """Run a tier; unit tests in shares at once, with the output of one after the other."""
    with tempfile.TemporaryDirectory(prefix="practicum-test-") as folder:
        runs = []
        for number, arguments in enumerate(_shares(tier, places)):
            report, output = Path(folder) / f"{number}.xml", Path(folder) / f"{number}.txt"
            command = [sys.executable, "-m", "pytest", "--no-header", f"--junit-xml={report}"]
            command += [*arguments, *(["-k", keyword] if keyword else [])]
            later = output.open("wb") if number else None
            runs.append((subprocess.Popen(command, cwd=places.root, stdout=later), report, output))
        total, code = Counts(), NOTHING
        for process, report, output in runs:
            ended = process.wait()
            code = ended if code in (0, NOTHING) and ended != NOTHING else code
            if output.exists():
                print(output.read_text(errors="replace"), end="", flush=True)
            if report.is_file():
                total.add(read_report(report.read_text()))
    return total, code


def _shares(tier: str, places: Places) -> list[list[str]]:
    """Arguments of pytest for each process of a tier."""
    chosen = selection(tier, places)
    if tier != "unit":
        return [chosen]
    tests = places.root / "tests"
    shares = [[str(tests / name) for name in names] for names in SHARES]
    rest = [f"--ignore={path}" for share in shares for path in share]
    return [*([*share, *chosen[1:]] for share in shares), [*chosen, *rest]]


def read_report(text: str) -> Counts:
    """The counts in a JUnit report that our own pytest has written."""
    counts = Counts()
    for case in Xml.fromstring(text).iter("testcase"):  # noqa: S314 - written by our own pytest
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            counts.failed += 1
        elif "skipped" in kinds:
            counts.skipped += 1
            reason = kinds["skipped"].get("message") or "no reason given"
            counts.reasons[re.sub(r"\s+", " ", reason)] += 1
        else:
            counts.passed += 1
    return counts
