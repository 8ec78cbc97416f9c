"""`test`: the test tiers in order, what was skipped and why, and one line that sums them up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as Xml
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from operate.places import Places

MARKED = (
    "packets",
    "image",
    "guests",
    "wire",
    "conformance",
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

LANES = (("wire", "conformance", "scenarios", "faults"), ("engine", "acceptance"))
"""Tiers that do not look at the machine as a whole: where there are two cores, these rows run at
once, each in its order."""

SWEEP = "PRACTICUM_SWEEP"
"""Set for `--sweep`: tests that take a sample by default go through every case."""

SHARES = (("event", "plan"), ("operate",))
"""Folders whose unit tests run at once with each other and with those of all other rooms."""

NOTHING = 5
"""What pytest says of a selection without tests."""

Lane = list[tuple[str, list[str]]]
"""Tiers, or parts of one, that run one after the other, with pytest's arguments for each."""


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
    for lanes in rounds(tiers, places, cores=os.cpu_count() or 1):
        for counts, code in _at_once(lanes, keyword, places):
            total.add(counts)
            broken = broken or code not in (0, NOTHING)
    for reason, number in total.reasons.most_common():
        print(f"skipped {number}: {reason}")
    print(str(total))
    return 1 if broken or total.failed or not (total.passed + total.skipped) else 0


def rounds(tiers: list[str], places: Places, *, cores: int) -> list[list[Lane]]:
    """Lanes that run at once, round after round; a lane runs its parts one after the other."""
    beside = [[each for each in lane if each in tiers] for lane in LANES]
    beside = [lane for lane in beside if lane]
    if cores < 2 or len(beside) < 2:
        beside = []
    first = [each for each in tiers if not any(each in lane for lane in beside)]
    found = [[[(each, share)] for share in _shares(each, places)] for each in first]
    if beside:
        found.append(
            [[(each, selection(each, places)) for each in lane] for lane in beside],
        )
    return found


def _at_once(lanes: list[Lane], keyword: str | None, places: Places) -> list[tuple[Counts, int]]:
    """Run lanes beside each other: the first one's output as it comes, then that of the others."""
    with (
        tempfile.TemporaryDirectory(prefix="practicum-test-") as folder,
        ThreadPoolExecutor(len(lanes)) as pool,
    ):
        runs = []
        for number, lane in enumerate(lanes):
            own = Path(folder) / str(number)
            own.mkdir()
            output = own / "output.txt" if number else None
            runs.append((output, pool.submit(_run, lane, keyword, places, own, output)))
        ended = []
        for output, run in runs:
            ended += run.result()
            if output is not None:
                print(output.read_text(errors="replace"), end="", flush=True)
    return ended


def _run(
    lane: Lane, keyword: str | None, places: Places, folder: Path, output: Path | None
) -> list[tuple[Counts, int]]:
    """Run the parts of a lane: what became of their tests, and pytest's exit codes."""
    ended = []
    for number, (tier, arguments) in enumerate(lane):
        with output.open("a") if output else nullcontext(sys.stdout) as said:
            print(f"── {tier}", file=said, flush=True)
        report = folder / f"{number}.xml"
        command = [sys.executable, "-m", "pytest", "--no-header", f"--junit-xml={report}"]
        command += [*arguments, *(["-k", keyword] if keyword else [])]
        with output.open("ab") if output else nullcontext() as file:
            code = subprocess.run(
                command, cwd=places.root, stdout=file, stderr=file and subprocess.STDOUT
            ).returncode
        counts = read_report(report.read_text()) if report.is_file() else Counts()
        ended.append((counts, code))
    return ended


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
