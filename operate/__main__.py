"""`python -m operate`: the command line; repairs a .venv that lost its packages."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

THIRD_PARTY = frozenset({"typer", "rich", "pydantic", "pydantic_core", "yaml", "cryptography"})
REPAIRED = "PRACTICUM_REPAIRED"


def main() -> int:
    """Run the command line; exit code of the verb."""
    # Looking for plugins of pydantic reads the metadata of every package: 40 ms for none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    # Most of a short verb's time is importing, which makes no garbage worth looking for.
    gc.set_threshold(100_000)
    try:
        if sys.argv[1:2] == ["plan"]:
            from operate.plan_line import main as plan

            return plan(sys.argv[2:])
        from operate.command_line import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in THIRD_PARTY or REPAIRED in os.environ:
            raise
        return _repair(str(error.name))
    return run()


def _repair(missing: str) -> int:
    """After an upgrade of the system's Python the packages of .venv are out of its sight."""
    root = Path(__file__).resolve().parent.parent
    print(f"practicum: {missing} is missing in {root / '.venv'}; setting it up again",
          file=sys.stderr, flush=True)  # fmt: skip
    (root / ".venv" / "practicum.lock").unlink(missing_ok=True)
    os.environ[REPAIRED] = "1"
    os.execv(root / "practicum", [str(root / "practicum"), *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
