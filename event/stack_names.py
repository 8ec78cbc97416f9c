"""Names of stacks, and the files that they are written in: `sc09` is `stacks/Pulumi.sc09.yaml`."""

from __future__ import annotations

import re
from pathlib import Path

from event.problems import EventError, Problem, known_names, quoted

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def stack_names(stacks_dir: Path) -> list[str]:
    """Stacks that have a file in the folder, sorted."""
    files = stacks_dir.glob("Pulumi.*.yaml") if stacks_dir.is_dir() else ()
    return sorted(path.stem.removeprefix("Pulumi.") for path in files)


def stack_path(
    stack_or_path: str, stacks_dir: Path, *, must_exist: bool = True
) -> tuple[str, Path]:
    """Name and file of a stack, given by its name (`sc09`) or by the path of its file.

    Raises EventError if there is no such file (and `must_exist`), with the nearest name, or if
    the name is not allowed.
    """
    if stack_or_path.endswith((".yaml", ".yml")):
        path = Path(stack_or_path)
        name = path.stem.removeprefix("Pulumi.")
        if must_exist and not path.exists():
            raise _error(quoted(stack_or_path), "does not exist", _known(name, path.parent))
    else:
        name = stack_or_path.rpartition("/")[2]
        path = stacks_dir / f"Pulumi.{name}.yaml"
        if must_exist and name not in stack_names(stacks_dir):
            raise _error(quoted(name), f"is no stack in {stacks_dir}", _known(name, stacks_dir))
    if not _NAME.fullmatch(name):
        raise _error(
            quoted(name),
            "is not allowed as the name of a stack",
            "rename the file: at most 40 lower-case letters, digits and hyphens, a letter first",
        )
    return name, path


def _known(name: str, folder: Path) -> str:
    return known_names(name, stack_names(folder))


def _error(found: str, message: str, hint: str) -> EventError:
    return EventError([Problem(found=found, message=message, hint=hint)])
