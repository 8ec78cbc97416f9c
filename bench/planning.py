"""From the stack file to the checked plan: cold by the command line, and in one process.

The bound is an interpreter that starts and parses the same two files with libyaml; the peer is
`netlab create` on a topology of the same shape, which renders a fleet from one file as well.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bench import netlab
from bench.figures import Spread, growth_exponent, spread
from bench.processes import BenchError, Run, run
from bench.results import Arm, Result, Target
from bench.stacks import EVENT, ROOT, SHIPPED_CLUSTERS, SITE, Size, write_stacks
from event.read import read_stack
from event.stack import EventStack
from plan.plan import plan_event

SIZES = (26, 60, 125, 250)
TARGETS_S = {SHIPPED_CLUSTERS: 0.35, 250: 1.0}
TARGET_EXPONENT = 1.1
PARSE = (
    "import sys, yaml\n"
    "for path in sys.argv[1:]:\n"
    "    with open(path, 'rb') as file:\n"
    "        yaml.load(file, Loader=yaml.CSafeLoader)\n"
)
COLD_BOUND = "interpreter start and libyaml parse of the same files"
WARM_BOUND = "libyaml parse of the same files"

Say = Callable[[str], None]
Times = dict[int, list[float]]
Runs = dict[int, list[Run]]


@dataclass(slots=True)
class Arms:
    """Runs or seconds by clusters, one list a size, for each way of running."""

    cold: Runs = field(default_factory=dict)
    cold_bound: Runs = field(default_factory=dict)
    warm: Times = field(default_factory=dict)
    warm_bound: Times = field(default_factory=dict)
    netlab: list[Run] = field(default_factory=list)
    no_netlab: str = ""


def files(folder: Path) -> list[str]:
    """The event's file and its site's."""
    return [str(folder / f"Pulumi.{name}.yaml") for name in (EVENT, SITE)]


def walls(runs: Sequence[Run]) -> Spread:
    """Wall time in seconds."""
    return spread([run.wall_s for run in runs])


def cpu(runs: Sequence[Run]) -> dict[str, float]:
    """CPU time: what stays of a figure when other work has the cores as well."""
    return {"CPU s": spread([run.cpu_s for run in runs]).median}


def cold_plan(folder: Path, state: Path) -> Run:
    """`./practicum plan FILE --json` as a process of its own."""
    variables = {**os.environ, "PYTHONHASHSEED": "0", "PRACTICUM_STATE": str(state)}
    command = [str(ROOT / "practicum"), "plan", files(folder)[0], "--json"]
    done = run(command, folder=ROOT, variables=variables)
    if b'"guests"' not in done.output:
        raise BenchError("practicum plan --json printed no guests")
    return done


def cold_parse(folder: Path) -> Run:
    """An interpreter that only parses the files."""
    command = [sys.executable, "-I", "-c", PARSE, *files(folder)]
    return run(command, folder=folder, variables={"PYTHONHASHSEED": "0"})


def warm_plan(folder: Path) -> float:
    """Seconds from the files to the plan in this process, imports apart."""
    start = time.perf_counter()
    stack = read_stack(EVENT, folder)
    if not isinstance(stack, EventStack):
        raise BenchError(f"{EVENT} is not an event")
    plan_event(stack)
    return time.perf_counter() - start


def warm_parse(folder: Path) -> float:
    """Seconds of libyaml on the same files in this process."""
    start = time.perf_counter()
    for path in files(folder):
        yaml.load(Path(path).read_bytes(), Loader=yaml.CSafeLoader)
    return time.perf_counter() - start


def measure(repeats: int, sizes: tuple[int, ...], say: Say) -> Arms:
    """Rounds over the sizes, arms in turn; a first round that only warms the disk is not kept."""
    arms = Arms()
    try:
        netlab_programs: Path | None = netlab.ready()
    except BenchError as error:
        netlab_programs, arms.no_netlab = None, str(error)
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folders = {clusters: Path(scratch) / str(clusters) for clusters in sizes}
        for clusters, folder in folders.items():
            write_stacks(folder, Size(clusters=clusters))
        peer = Path(scratch) / "netlab"
        peer.mkdir()
        for number in range(repeats + 1):
            kept = arms if number else Arms()
            for clusters, folder in folders.items():
                run_cold = cold_plan(folder, Path(scratch) / "state")
                kept.cold.setdefault(clusters, []).append(run_cold)
                kept.cold_bound.setdefault(clusters, []).append(cold_parse(folder))
                kept.warm.setdefault(clusters, []).append(warm_plan(folder))
                kept.warm_bound.setdefault(clusters, []).append(warm_parse(folder))
                if clusters == SHIPPED_CLUSTERS and netlab_programs:
                    kept.netlab.append(netlab.create(netlab_programs, peer, clusters))
            cold = ", ".join(f"{size}: {runs[-1].wall_s:.3f} s" for size, runs in kept.cold.items())
            say(f"{number}/{repeats} cold, by clusters {cold}")
    return arms


def seconds(runs: Runs) -> Times:
    """Wall times of runs."""
    return {size: [run.wall_s for run in each] for size, each in runs.items()}


def results(arms: Arms) -> list[Result]:
    """Times by size, then growth over the sizes."""
    sizes = list(arms.cold)
    return [
        *(_cold(arms, clusters) for clusters in sizes),
        *(_warm(arms, clusters) for clusters in sizes),
        _growth("cold", seconds(arms.cold)),
        _growth("in-process", arms.warm),
    ]


def _cold(arms: Arms, clusters: int) -> Result:
    limit, guests = TARGETS_S.get(clusters), Size(clusters=clusters).guests
    return Result(
        id=f"plan.cold.{clusters}",
        what=f"practicum plan --json, cold, {clusters} clusters ({guests} guests)",
        unit="s",
        figure=walls(arms.cold[clusters]),
        bound=Arm(what=COLD_BOUND, spread=walls(arms.cold_bound[clusters])),
        peer=_peer(arms, clusters),
        target=Target(limit=limit) if limit else None,
        more=_cpu_rows(arms, clusters),
    )


def _warm(arms: Arms, clusters: int) -> Result:
    return Result(
        id=f"plan.in-process.{clusters}",
        what=f"read and plan in one process, {clusters} clusters",
        unit="s",
        figure=spread(arms.warm[clusters]),
        bound=Arm(what=WARM_BOUND, spread=spread(arms.warm_bound[clusters])),
        peer=Arm(what="none: netlab has no such entry; see the cold rows"),
    )


def _growth(way: str, figure: Times) -> Result:
    return Result(
        id=f"plan.growth.{way}",
        what=f"growth exponent over {', '.join(map(str, figure))} clusters, {way}",
        unit="",
        figure=exponents(figure),
        bound=Arm(what="none: 1 is linear; the file does not grow with the clusters"),
        peer=Arm(what="none: netlab is measured at one size"),
        target=Target(limit=TARGET_EXPONENT),
    )


def _cpu_rows(arms: Arms, clusters: int) -> dict[str, dict[str, float]]:
    rows = {"practicum": cpu(arms.cold[clusters]), "bound": cpu(arms.cold_bound[clusters])}
    if clusters == SHIPPED_CLUSTERS and arms.netlab:
        rows["netlab"] = cpu(arms.netlab)
    return rows


def _peer(arms: Arms, clusters: int) -> Arm:
    if clusters != SHIPPED_CLUSTERS:
        return Arm(what=f"none: netlab is measured at {SHIPPED_CLUSTERS} clusters")
    if not arms.netlab:
        return Arm(what=f"none: {arms.no_netlab}")
    what = f"netlab {netlab.VERSION} create, {SHIPPED_CLUSTERS} × 5 Linux nodes"
    return Arm(what=what, spread=walls(arms.netlab))


def exponents(times: Times) -> Spread:
    """The growth exponent of each round."""
    rounds = zip(*times.values(), strict=True)
    return spread([growth_exponent(dict(zip(times, each, strict=True))) for each in rounds])


def bench(repeats: int, *, quick: bool, say: Say) -> tuple[list[Result], dict[str, str]]:
    """All results of planning; `quick` leaves out the two middle sizes."""
    sizes = (SIZES[0], SIZES[-1]) if quick else SIZES
    return results(measure(repeats, sizes, say)), {"netlab": netlab.VERSION}
