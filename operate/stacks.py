"""Finds and reads the stack that a person names: one of stacks/, or a file anywhere."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import yaml

from event.problems import EventError, RunError
from event.read import read_stack, stack_path
from event.stack import EventStack, SiteStack, Stack
from operate.engine import StackRef
from operate.places import Places, own_folder, write_private

DEFAULT_EVENT = "laptop"
DEFAULT_SITE = "lab"


def load(stack_or_path: str, places: Places) -> Stack:
    """Read a stack. A site is looked for beside the event's file, then in stacks/.

    Raises `EventError` with all problems.
    """
    _, path = stack_path(stack_or_path, places.stacks)
    folders = dict.fromkeys((path.absolute().parent, places.stacks))
    errors: list[EventError] = []
    for folder in folders:
        try:
            return read_stack(stack_or_path, folder)
        except EventError as error:
            errors.append(error)
    raise min(errors, key=lambda error: len(error.problems))


def load_event(stack_or_path: str, places: Places) -> EventStack:
    """Read a stack that must be an event."""
    stack = load(stack_or_path, places)
    if isinstance(stack, SiteStack):
        raise RunError(f"{stack.name} is a site; name an event that is on it")
    return stack


def site_of(stack: Stack) -> SiteStack:
    """The site of an event, or the site itself."""
    return stack if isinstance(stack, SiteStack) else stack.site


def reference(stack: Stack, places: Places) -> StackRef:
    """What the engine must be told about a stack."""
    path = stack.path.absolute()
    outside = path.parent.resolve() != places.stacks.resolve()
    usual = path.name == f"Pulumi.{stack.name}.yaml"
    return StackRef(
        name=stack.name,
        path=path,
        project=_project(path, places, usual=usual) if outside else places.root,
        outside=outside,
        config_file=None if usual else path,
    )


def _project(path: Path, places: Places, *, usual: bool) -> Path:
    """A folder whose Pulumi.yaml runs our program with the stack files beside `path`.

    The engine looks for stack files in one folder of the project, and some of its commands write
    there whatever --config-file says; so a folder elsewhere gets a project of its own.
    """
    folder = own_folder(
        places.state / "projects" / hashlib.sha256(bytes(path.parent)).hexdigest()[:16]
    )
    settings = yaml.safe_load((places.root / "Pulumi.yaml").read_text())
    settings["main"] = str(places.root)
    settings["stackConfigDir"] = os.path.relpath(path.parent, folder) if usual else "."
    text = json.dumps(settings, indent=1) + "\n"
    file = folder / "Pulumi.yaml"
    if not file.exists() or file.read_text() != text:
        write_private(file, text)
    return folder


def shipped(places: Places) -> list[Path]:
    """The stack files in stacks/, by name."""
    return sorted(places.stacks.glob("Pulumi.*.yaml"))
