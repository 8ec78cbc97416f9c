"""Cases of a sweep that have gone well, noted in a file, so that a sweep can go on where it was.

`PRACTICUM_SWEEP_DONE=FILE` names the file; without it nothing is noted and nothing left out.
"""

from __future__ import annotations

import os
from pathlib import Path

SWEEP = bool(os.environ.get("PRACTICUM_SWEEP"))
_DONE = os.environ.get("PRACTICUM_SWEEP_DONE")


def noted() -> frozenset[str]:
    """What earlier sweeps have seen go well."""
    there = _DONE and Path(_DONE).exists()
    return frozenset(Path(str(_DONE)).read_text().splitlines()) if there else frozenset()


def note(text: str) -> None:
    """Note a case that has gone well."""
    if _DONE:
        with Path(_DONE).open("a") as file:
            file.write(text + "\n")
