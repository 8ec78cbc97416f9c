"""Asks the toolchain for an engine, as a process: found on this machine, fetched, or built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from event.problems import RunError
from operate.places import Places
from operate.variables import EngineParts, pulumi_home


def ensure_engine(places: Places) -> EngineParts:
    """The engine with its plugins; what the toolchain has to say goes to stderr meanwhile.

    Raises `RunError` when there is none; the toolchain has told why by then.
    """
    command = [sys.executable, "-P", "-m", "toolchain", "ensure", "--json"]
    command += ["--home", str(pulumi_home(places, os.environ))]
    variables = {**os.environ, "PYTHONPATH": str(places.root)}
    done = subprocess.run(
        command, cwd=places.root, env=variables, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise RunError("there is no engine to run with; see the lines above")
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        return EngineParts(
            pulumi=Path(answer["pulumi"]),
            bin=Path(answer["bin"]),
            source=str(answer["source"]),
            version=str(answer["version"]),
            home=Path(answer["home"]),
            variables={str(k): str(v) for k, v in (answer.get("env") or {}).items()},
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise RuntimeError(f"the toolchain's answer is not understood: {error!r}") from error
