"""`python -m toolchain ensure | status | build`: results on standard output, the rest on error."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from . import ensure, places, status
from .build import build
from .problems import ToolchainError
from .program import program


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolchain", description="The Pulumi engine and its plugins."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    get = verbs.add_parser("ensure", help="find, download or compile what is missing")
    get.add_argument("--home", type=Path, help="the PULUMI_HOME that gets the plugins")
    get.add_argument("--built", action="store_true", help="neither PATH nor downloads")
    get.add_argument("--json", action="store_true", help="print the result as JSON")
    tell = verbs.add_parser("status", help="say what is there; change nothing")
    tell.add_argument("--json", action="store_true", help="print the result as JSON")
    own = verbs.add_parser("program", help="compile a small program of ours; print its path")
    own.add_argument("folder", type=Path, help="the folder with its go.mod")
    make = verbs.add_parser("build", help="compile what is missing, whatever is on PATH")
    make.add_argument("--force", action="store_true", help="compile everything anew")
    return parser


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit code 0, 1 with a message, or 130 when interrupted."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        _run(options)
    except ToolchainError as problem:
        print(f"toolchain: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "toolchain: interrupted; finished parts are kept, the same command goes on from here",
            file=sys.stderr,
        )
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.verb == "build":
        cache = places.current()
        build(cache, force=options.force)
        print(cache.set)
    elif options.verb == "program":
        print(program(options.folder.absolute(), places.current()))
    elif options.verb == "status":
        report = status.status(places.current())
        print(json.dumps(report) if options.json else status.text(report))
    else:
        ready = ensure.ensure(options.home, only_built=options.built)
        print(json.dumps(ready.as_json()) if options.json else _text(ready))


def _text(ready: ensure.Ready) -> str:
    plugins = ", ".join(f"{name} ({source})" for name, source in ready.plugins.items())
    return (
        f"pulumi {ready.version} ({ready.source}): {ready.pulumi}\n"
        f"plugins in {ready.home}: {plugins}"
    )


if __name__ == "__main__":
    sys.exit(main())
