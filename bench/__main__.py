"""`python -m bench plan|engine|lab|clones|guests|contextualize [--repeats N] [--quick]`; once in a
while `engine --big` and `clones --big [--storage shared|local]`.

Results go to bench/results.json and bench/RESULTS.md; a failed measurement exits with 1 and
changes neither.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.machine import load, machine, versions
from bench.processes import BenchError
from bench.results import Result, merge
from bench.table import markdown, terminal

FOLDER = Path(__file__).parent
NAMES = ("plan", "engine", "lab", "clones", "guests", "contextualize")
STORAGES = ("shared", "local")
REPEATS = 7
QUICK_REPEATS = 3
PAGE_WIDTH = 180  # columns, where the table is written to a file
SEEDS = {"PYTHONHASHSEED": "0"}
"""The only source of chance; passwords come from a fixed secret."""


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What to measure, and how often."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split(";")[0])
    parser.add_argument("name", choices=NAMES, help="what to measure")
    parser.add_argument("--repeats", type=int, help=f"rounds of all arms (default {REPEATS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_REPEATS} rounds, fewer sizes")
    parser.add_argument("--big", action="store_true", help="250 or 130 clusters, once")
    parser.add_argument("--storage", choices=STORAGES, help="clones on this kind only")
    parsed = parser.parse_args(arguments)
    parsed.repeats = parsed.repeats or (
        1 if parsed.big else QUICK_REPEATS if parsed.quick else REPEATS
    )
    if parsed.repeats < 1:
        parser.error("--repeats: write 1 or more")
    if parsed.big and parsed.name not in ("engine", "clones"):
        parser.error("--big: only engine and clones have it")
    if parsed.storage and parsed.name != "clones":
        parser.error("--storage: only clones has it")
    return parsed


def measured(chosen: argparse.Namespace) -> tuple[list[Result], dict[str, str]]:
    """All results of the bench that was asked for, and versions of what it used.

    Each is imported when it is asked for: one half-built room stops only its own.
    """
    if chosen.name == "plan":
        from bench import planning

        return planning.bench(chosen.repeats, quick=chosen.quick, say=say)
    if chosen.name == "engine":
        from bench import engine

        return (engine.bench_big if chosen.big else engine.bench)(chosen.repeats, say=say)
    if chosen.name == "clones":
        from bench import clones

        kinds = (chosen.storage,) if chosen.storage else STORAGES
        return clones.bench(chosen.repeats, kinds, big=chosen.big, say=say)
    if chosen.name == "guests":
        from bench import guests

        return guests.bench(chosen.repeats, say=say)
    if chosen.name == "contextualize":
        from bench import contextualize

        return contextualize.bench(chosen.repeats, quick=chosen.quick, say=say)
    from bench import lab

    return lab.bench(chosen.repeats, say=say)


def section(chosen: argparse.Namespace) -> str:
    """The results' name in both files: what ran apart is told apart, with its own machine."""
    return "-".join([chosen.name, *["big"] * chosen.big, *filter(None, [chosen.storage])])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write both files, print the table; exit code 0, or 1 with a message."""
    chosen = options(arguments)
    # A person's interpreter keeps byte code beside the sources; what is measured is a second start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that labs and engines end too
    context: dict[str, Any] = {"machine": machine(), "seeds": SEEDS, "repeats": chosen.repeats}
    try:
        found, used = measured(chosen)
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    context["versions"] = versions() | used
    context["machine"] |= {"loadAfter": load()}
    name = section(chosen)
    document = merge(FOLDER / "results.json", name, found, context)
    (FOLDER / "RESULTS.md").write_text(markdown(document))
    console = Console()
    console = console if console.is_terminal else Console(width=PAGE_WIDTH)
    console.print(terminal(name, document["benches"][name]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
