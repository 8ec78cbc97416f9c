"""`python -m image build NAME | list`: results on standard output, the rest on error."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from . import places
from .build import build, epoch_of
from .problems import ImageError
from .recipes import FLAVOURS, NAMES, recipe

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="practicum image", description="Images that guests start from."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("build", help="build an image unless it is there")
    make.add_argument("name", metavar="NAME", help=" or ".join(NAMES))
    make.add_argument("--flavour", choices=FLAVOURS, default="plain",
                      help="exercises: with the packages of all levels")  # fmt: skip
    make.add_argument("--force", action="store_true", help="build it even if it is there")
    make.add_argument("--mirror", metavar="URL", help="Debian mirror; default: this machine's")
    show = verbs.add_parser("list", help="say which images there are")
    for verb in (make, show):
        verb.add_argument("--json", action="store_true", help="print the result as JSON")
        verb.add_argument("--folder", type=Path, default=places.cache_root(),
                          help="default: ~/.cache/practicum/images")  # fmt: skip
    return parser


def _listen() -> None:
    for number in _ENDS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as by nohup
            signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:  # a second one would end the tidying up
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; exit code 0, 1 with a message, or 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb == "build":
            _build(options)
        else:
            _list(options)
    except ImageError as problem:
        print(f"image: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("image: interrupted; nothing was changed", file=sys.stderr)
        return 130
    return 0


def _build(options: argparse.Namespace) -> None:
    wanted = recipe(options.name, options.flavour)
    found = build(
        wanted,
        options.folder,
        force=options.force,
        from_mirror=options.mirror,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(json.dumps(found) if options.json else _line(options.folder, found))


def _list(options: argparse.Namespace) -> None:
    found = []
    for name in NAMES:
        for flavour in FLAVOURS:
            wanted = recipe(name, flavour)
            record = places.record(options.folder, wanted)
            if record is not None:
                current = places.inputs_digest(wanted, epoch_of(wanted))
                found.append({**record, "current": record["inputs"] == current})
    if options.json:
        print(json.dumps(found))
        return
    for record in found:
        print(_line(options.folder, record) + ("" if record["current"] else "  (of older recipe)"))
    if not found:
        print("no image yet; type: ./practicum image build debian-12")


def _line(folder: Path, record: dict[str, Any]) -> str:
    size = record["bytes"] / 1024**2
    count = len(record["packages"])
    return f"{folder / record['file']}  {size:.0f} MiB  {count} packages  {record['sha256']}"


if __name__ == "__main__":
    _listen()
    sys.exit(main())
