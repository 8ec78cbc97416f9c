"""Planning stays quick and linear: it runs before every preview."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from subprocess import run

from plan.plan import plan_event
from tests.plan.making import event_stack, host, site_stack

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 0.3  # of processor time, for 1 250 guests on 66 hosts


def spent_s(clusters: int) -> float:
    """Processor time of planning so many clusters of five, the least of three tries."""
    stack = event_stack(
        site_stack([host("n[01-66]")], network={"vlans": "2-4094", "exposed": {}}),
        clusters={"count": clusters},
        network={"vlans": "100-2200", "private": "10.0.0.0/8"},
        vmids="100000-400000",
    )
    tries = []
    for _ in range(3):
        start = time.process_time()
        plan = plan_event(stack)
        tries.append(time.process_time() - start)
    assert len(plan.guests) == clusters * 5 + 1
    return min(tries)


def test_twelve_hundred_and_fifty_guests_are_planned_in_a_third_of_a_second() -> None:
    assert spent_s(250) < LIMIT_S


def test_eight_times_the_clusters_take_about_eight_times_as_long() -> None:
    assert spent_s(800) < 8 * 1.8 * spent_s(100)


def test_planning_loads_no_module_that_it_does_not_need() -> None:
    code = "import plan.plan, sys; print(*sorted(sys.modules))"
    loaded = run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"cryptography", "pulumi", "jsonschema", "rich", "typer"} & set(loaded)
