"""Runs a Pulumi program against a recording engine: `python recorded.py PROGRAM SECRET`.

The output is a list of resources: type, name, inputs with secrets laid open.
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from pulumi.runtime import set_all_config, set_mocks, test
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

RECORDED: list[dict[str, Any]] = []


class Recorder(Mocks):
    """Keeps what is registered and answers as if it had been made."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        RECORDED.append({"type": args.typ, "name": args.name, "inputs": args.inputs})
        return args.name, args.inputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"the program looks something up: {args.token}")


def build(program: Path) -> None:
    """Run the program's `__main__.py`."""
    runpy.run_path(str(program / "__main__.py"), run_name="__main__")


def main(program: Path) -> None:
    """Record the program, with its folder first on the path."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    set_mocks(Recorder(), project="practicum", stack="sc09")
    set_all_config({"practicum:secret": sys.argv[2]})
    os.environ["PRACTICUM_CHECKED"] = "1"  # else the program looks at the site before it begins
    sys.path.insert(0, str(program))
    test(build)(program)  # type: ignore[no-untyped-call]  # waits until all is registered
    sys.stdout.write(json.dumps(RECORDED))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
