"""Many clones of one template, on a lab with Proxmox VE's limits: lanes against none.

The bound is the longest time for which one storage's lock is needed: its guests times the seconds
of a clone. No more than that many clones a second can be made by anybody. On storages of many
hosts the engine is slower than that, so there the same program on a lab without limits is a bound
as well. Measured is the time from the first clone's call to the last clone's end.

The peer is the same program without lanes. Its clones and configurations fail on locks, so it is
run again and again until everything is there; that time counts.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.figures import spread
from bench.labs import Served, served
from bench.processes import BenchError, Run, run
from bench.programs import FLAGS, Program, Programs, copy_program, prepare
from bench.requestlog import lines
from bench.results import Arm, Result, Target
from bench.stacks import EVENT, Size, replaced, write_stacks
from event.read import read_stack
from event.stack import EventStack
from operate.api import Api
from plan.lanes import lane_of
from plan.plan import plan_event

CLONE_S = 0.8
HOSTS = 16
CLUSTERS = 26
BIG_CLUSTERS = 130
TARGET_RATIO = 1.15
PARALLEL = 64
NAIVE_PARALLEL = 16
MOST_RUNS = 20
LIMIT_S = 1800
CLONE = re.compile(r"/nodes/[^/]+/qemu/\d+/clone")
WITHOUT_LANES = {r"hooks=turns\(event\)\.binding\(\)": "hooks=None"}
REALISTIC = ("--realistic", "--clone-seconds", str(CLONE_S))

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An event that was built: seconds of cloning, of all runs, how many runs, and what failed."""

    clones_s: float
    all_s: float
    runs: int
    failed: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of all rounds for one kind of storage."""

    lanes: list[Built]
    naive: list[Built]
    free: list[Built]


def lock_bound_s(folder: Path) -> float:
    """Seconds for which the busiest storage's lock is needed."""
    stack = read_stack(EVENT, folder)
    if not isinstance(stack, EventStack):
        raise BenchError(f"{EVENT} is not an event")
    guests = Counter(lane_of(guest) for guest in plan_event(stack).guests)
    return max(guests.values()) * CLONE_S


def build(program: Program, lab: Served, parallel: int) -> Built:
    """Run `up` until it succeeds."""
    begun = time.time()
    runs = [_up(program, parallel)]
    while not isinstance(runs[-1], Run):
        if len(runs) == MOST_RUNS:
            raise BenchError(f"{MOST_RUNS} runs without lanes did not finish: {runs[-1]}")
        runs.append(_up(program, parallel))
    ended = time.time()
    log = [line for line in lines(lab.state) if begun <= line["t"] <= ended]
    tasks = [task for task in _clone_tasks(lab) if task["starttime"] >= int(begun)]
    first = min(line["t"] for line in log if CLONE.fullmatch(line["path"]))
    return Built(
        # Tasks are told in whole seconds: the end is rounded up.
        clones_s=max(task["endtime"] for task in tasks) + 1 - first,
        all_s=ended - begun,
        runs=len(runs),
        failed=sum(task["status"] != "OK" for task in tasks),
        refused=sum(line["status"] == 500 and line["method"] == "PUT" for line in log),
    )


def _up(program: Program, parallel: int) -> Run | BenchError:
    options = ["--yes", "--skip-preview", "--continue-on-error", "--parallel", str(parallel)]
    command = [str(program.pulumi), "up", "--stack", program.stack, *FLAGS, *options]
    try:
        return run(command, folder=program.folder, variables=program.variables, limit_s=LIMIT_S)
    except BenchError as error:
        return error


def _clone_tasks(lab: Served) -> list[dict[str, Any]]:
    api = Api(lab.endpoint, lab.token, insecure=True)
    found = []
    for node in api.get("/nodes"):
        path = f"/nodes/{node['node']}/tasks"
        found += api.get(path, typefilter="qmclone", limit="5000", source="all")
    return found


def without_lanes(folder: Path, program: Program) -> Program:
    """The same program, whose guests do not wait for their turn.

    It takes the guests that its failed runs have left for its own, as a naive program would.
    """
    target = folder / "naive"
    copy_program(target)
    main = target / "__main__.py"
    main.write_text(replaced(main.read_text(), WITHOUT_LANES))
    (target / "stacks").symlink_to(program.folder / "stacks")
    checked = {**program.variables, "PRACTICUM_CHECKED": "1"}
    return replace(program, folder=target, variables=checked)


def one_round(size: Size, say: Say, said: str) -> tuple[Built, Built, Built, Programs]:
    """Lanes, no lanes, and no limits, each on a lab of its own."""
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        found: list[Built] = []
        for name, options in (("lanes", REALISTIC), ("naive", REALISTIC), ("free", ())):
            if name == "free" and not size.local:
                found.append(found[0])
                continue
            with served(folder / name / "lab", size, *options) as lab:
                programs = prepare(folder / name, lab, size)
                program, parallel = programs.practicum, PARALLEL
                if name == "naive":
                    program, parallel = without_lanes(folder / name, program), NAIVE_PARALLEL
                built = build(program, lab, parallel)
                say(
                    f"{said} {name}: clones {built.clones_s:.1f} s, all {built.all_s:.1f} s, "
                    f"{built.runs} runs, {built.failed} clones failed, {built.refused} refused"
                )
                found.append(built)
    lanes, naive, free = found
    return lanes, naive, free, programs


def results(size: Size, bound_s: float, figures: Figures) -> list[Result]:
    """Time of the clones against the bound and the naive program, and of the whole `up`."""
    kind = f"{HOSTS} local storages" if size.local else "one shared storage"
    name = f"clones.{'local' if size.local else 'shared'}.{size.guests}"
    lanes, naive = figures.lanes, figures.naive
    bounds = [max(bound_s, built.clones_s if size.local else 0.0) for built in figures.free]
    what = f"clones × {CLONE_S} s" + (", or the same program without limits" * size.local)
    peer = f"without lanes, parallel {NAIVE_PARALLEL}, until all is there"
    met = {
        "lanes": {"failed clones": sum(built.failed for built in lanes)},
        "naive": {
            "failed clones": sum(built.failed for built in naive) / len(naive),
            "runs": sum(built.runs for built in naive) / len(naive),
        },
    }
    return [
        Result(
            id=name,
            what=f"clones of {size.guests} guests, {kind}",
            unit="s",
            figure=spread([built.clones_s for built in lanes]),
            bound=Arm(what=what, spread=spread(bounds)),
            peer=Arm(what=peer, spread=spread([built.clones_s for built in naive])),
            target=Target(limit=TARGET_RATIO, of="bound"),
            more=met,
        ),
        Result(
            id=f"{name}.up",
            what=f"whole `up` of {size.guests} guests, {kind}",
            unit="s",
            figure=spread([built.all_s for built in lanes]),
            bound=Arm(what=what, spread=spread(bounds)),
            peer=Arm(what=peer, spread=spread([built.all_s for built in naive])),
        ),
    ]


def bench(
    repeats: int, kinds: Sequence[str], *, big: bool, say: Say
) -> tuple[list[Result], dict[str, str]]:
    """All results for these kinds of storage, "shared" or "local"; and the engine's version."""
    found: list[Result] = []
    clusters = BIG_CLUSTERS if big else CLUSTERS
    version = ""
    for kind in kinds:
        size = Size(clusters=clusters, at_hosts=HOSTS, local=kind == "local")
        with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
            write_stacks(Path(scratch), size)
            bound_s = lock_bound_s(Path(scratch))
        figures = Figures(lanes=[], naive=[], free=[])
        for number in range(1, repeats + 1):
            said = f"{number}/{repeats} {kind}"
            lanes, naive, free, programs = one_round(size, say, said)
            figures.lanes.append(lanes)
            figures.naive.append(naive)
            figures.free.append(free)
            version = programs.engine_version
        found += results(size, bound_s, figures)
    return found, {"engine": version}
