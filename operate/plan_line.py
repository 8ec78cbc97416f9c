"""The command line of `plan`: the verb that people and other programs call most often.

Its options are read with argparse, which costs a tenth of what typer does to import; typer hands
them on unread.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from operate.endings import ended

ABOUT = "Tell what a stack file means: hosts, VMIDs, VLANs, addresses, capacity. Starts nothing."


def main(arguments: Sequence[str]) -> int:
    """Run `plan` with what stands behind the verb; exit code of the verb."""
    return ended(lambda: work(arguments))


def work(arguments: Sequence[str]) -> int:
    """Like `main`, with errors left to the caller."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as told:  # help, or wrong usage
        return int(told.code or 0)
    from operate import plan_verb

    plan_verb.plan(
        options.stack,
        as_json=options.as_json,
        as_table=options.as_table,
        two_files=options.two_files,
        against=options.against,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="practicum plan", description=ABOUT)
    parser.add_argument(
        "stack", nargs="?", default="laptop", metavar="STACK",
        help="name of a stack, or path of its file; default: laptop",
    )  # fmt: skip
    parser.add_argument("--json", dest="as_json", action="store_true", help="the plan as JSON")
    parser.add_argument(
        "--table", dest="as_table", action="store_true", help="a line for each guest"
    )
    parser.add_argument("--two-files", type=Path, metavar="DIR", help="write the two files of 2009")
    parser.add_argument("--against", metavar="STACK", help="what differs from another event")
    return parser
