"""Reading a stack: its file (or what the engine decoded from it) → a checked site or event.

`read_stack` raises EventError with every problem of the file, and of the site's file that an event
is on, in one pass. It opens no connection and needs no engine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from event.messages import translate
from event.model import Event, Lab, Site
from event.problems import EventError, Problem, Where, known_names, quoted
from event.source import Section, Source, read_source
from event.stack import EventStack, SiteStack, Stack

Kind = TypeVar("Kind", bound=BaseModel)

_STACK_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def stack_path(stack_or_path: str, stacks_dir: FilePath) -> tuple[str, FilePath]:
    """Name and file of a stack, given by its name (`sc09`) or the path of its file.

    Raises EventError if there is no such file, with the nearest name.
    """
    if stack_or_path.endswith((".yaml", ".yml")):
        path = FilePath(stack_or_path)
        name = path.stem.removeprefix("Pulumi.")
    else:
        name = stack_or_path.rpartition("/")[2]
        path = stacks_dir / f"Pulumi.{name}.yaml"
    if not _STACK_NAME.fullmatch(name):
        raise EventError(
            [Problem(
                found=quoted(name),
                message="is no name of a stack",
                hint="use at most 40 lower-case letters, digits and hyphens, starting with a letter",
            )]
        )  # fmt: skip
    return name, path


def read_stack(
    stack_or_path: str, stacks_dir: FilePath, *, config: Mapping[str, Any] | None = None
) -> Stack:
    """Read a site or an event. Raises EventError with all problems."""
    name, path = stack_path(stack_or_path, stacks_dir)
    source = read_source(path, _display(path))
    if "event" in source.sections:
        section = source.sections["event"]
        event = _validated(Event, section)
        site = read_stack(event.on, stacks_dir)
        assert isinstance(site, SiteStack)
        return EventStack(name=name, path=path, event=event, site=site, locate=section.locate)
    section = source.sections["site"]
    lab = source.sections.get("lab")
    return SiteStack(
        name=name,
        path=path,
        site=_validated(Site, section),
        lab=_validated(Lab, lab) if lab else None,
        locate=section.locate,
    )


def _validated(kind: type[Kind], section: Section) -> Kind:
    try:
        return kind.model_validate(section.data)
    except ValidationError as error:
        raise EventError(translate(error, kind, section)) from None


def _display(path: FilePath) -> str:
    """The path as problems name it: relative where that is shorter to read."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
