"""The engine on a whole event: practicum against the floor, stage by stage, on one lab.

The floor is the bound: the same guests with literal arguments. Stages of the arms alternate round
by round, since both use the same VMIDs and the lab can hold only one of them.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Spread, spread
from bench.labs import served
from bench.processes import Run
from bench.programs import STAGES, Program, Programs, by_role, prepare
from bench.results import Arm, Result, Target
from bench.stacks import SHIPPED_CLUSTERS, Size

TARGET_RATIO = 1.5
BIG_CLUSTERS = 250
LIMIT_S = 900
BIG_LIMIT_S = 5400
BIG_STAGES = ("preview", "up", "destroy")
NO_CHECKPOINTS = {"PULUMI_SKIP_CHECKPOINTS": "true"}
NO_FLOOR = Arm(what="none: the floor is compared at the size of the shipped event")
NO_PEER = Arm(what="none: no registry offers an engine that could")
ROLES = ("program", "engine", "provider")

Say = Callable[[str], None]


@dataclass(slots=True)
class Runs:
    """The runs of one arm by stage, and the size of its state after each `up`, in MiB."""

    stages: dict[str, list[Run]] = field(default_factory=dict)
    state_mib: list[float] = field(default_factory=list)

    def walls(self, stage: str) -> Spread:
        """Wall time of a stage in seconds."""
        return spread([run.wall_s for run in self.stages[stage]])

    def cpus(self, stage: str) -> Spread:
        """CPU time of a stage in seconds, all processes: steadier where others have the cores."""
        return spread([run.cpu_s for run in self.stages[stage]])

    def row(self, stage: str) -> dict[str, float]:
        """Medians of a stage: CPU seconds and peak memory by role, size of the state."""
        runs = self.stages[stage]
        row: dict[str, float] = {}
        for role in ROLES:
            parts = [part for run in runs if (part := by_role(run.parts).get(role))]
            if parts:
                row[f"{role} CPU s"] = statistics.median(part.cpu_s for part in parts)
                row[f"{role} peak MiB"] = statistics.median(part.peak_mib for part in parts)
        if stage in ("up", "no-op up"):
            row["state MiB"] = statistics.median(self.state_mib)
        return row


def lifecycle(program: Program, runs: Runs, stages: tuple[str, ...], limit_s: float) -> None:
    """Run the stages in order, and keep what was measured."""
    for stage in stages:
        runs.stages.setdefault(stage, []).append(program.stage(stage, limit_s=limit_s))
        if stage == "up":
            runs.state_mib.append(program.state_mib)


def results(size: Size, prefix: str, practicum: Runs, floor: Runs) -> Iterator[Result]:
    """Wall and CPU time of each stage that was run; the ratio to the floor has the target."""
    for stage in practicum.stages:
        for unit, what, of in (("s", "", Runs.walls), ("CPU s", ", CPU time", Runs.cpus)):
            yield Result(
                id=f"{prefix}.{stage}{'.cpu' if what else ''}",
                what=f"{stage}, {size.clusters} clusters ({size.guests} guests){what}",
                unit=unit,
                figure=of(practicum, stage),
                bound=Arm(what="floor program", spread=of(floor, stage)),
                peer=NO_PEER,
                target=Target(limit=TARGET_RATIO, of="bound"),
                more={} if what else {"practicum": practicum.row(stage), "floor": floor.row(stage)},
            )


def measure(
    size: Size, stages: tuple[str, ...], repeats: int, limit_s: float, say: Say
) -> tuple[Runs, Runs, Programs]:
    """Rounds of practicum and floor, in turn, on a fresh lab."""
    ours, floor = Runs(), Runs()
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        with served(folder / "lab", size) as lab:
            programs = prepare(folder, lab, size)
            for number in range(1, repeats + 1):
                for name, program, runs in (
                    ("practicum", programs.practicum, ours),
                    ("floor", programs.floor, floor),
                ):
                    lifecycle(program, runs, stages, limit_s)
                    walls = [f"{stage} {runs.stages[stage][-1].wall_s:.1f} s" for stage in stages]
                    say(f"{number}/{repeats} {name}: {', '.join(walls)}")
    return ours, floor, programs


def bench(repeats: int, *, say: Say) -> tuple[list[Result], dict[str, str]]:
    """All results for the shipped event, and the version of the engine."""
    size = Size(clusters=SHIPPED_CLUSTERS)
    ours, floor, programs = measure(size, tuple(STAGES), repeats, LIMIT_S, say)
    return list(results(size, "engine", ours, floor)), {"engine": programs.engine_version}


def bench_big(repeats: int, *, say: Say) -> tuple[list[Result], dict[str, str]]:
    """250 clusters as one stack: preview and `up`, with memory and size of the state.

    Without checkpoints: the file backend writes the whole state at each step, so that time grows
    with the square of the number of guests, to about half an hour here. The floor is compared at
    the size of the shipped event.
    """
    size = Size(clusters=BIG_CLUSTERS)
    ours = Runs()
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        folder = Path(scratch)
        with served(folder / "lab", size) as lab:
            programs = prepare(folder, lab, size)
            program = programs.practicum.with_variables(NO_CHECKPOINTS)
            for number in range(1, repeats + 1):
                lifecycle(program, ours, BIG_STAGES, BIG_LIMIT_S)
                walls = [f"{stage} {ours.stages[stage][-1].wall_s:.1f} s" for stage in BIG_STAGES]
                say(f"{number}/{repeats} practicum: {', '.join(walls)}")
    found = [
        Result(
            id=f"engine.{BIG_CLUSTERS}.{stage}",
            what=f"{stage}, {size.clusters} clusters ({size.guests} guests), checkpoints skipped",
            unit="s",
            figure=ours.walls(stage),
            bound=NO_FLOOR,
            peer=NO_PEER,
            more={"practicum": ours.row(stage)},
        )
        for stage in BIG_STAGES
    ]
    return found, {"engine": programs.engine_version}
