"""Reading a stack: its file (or what the engine decoded from it) → a checked site or event.

`read_stack` raises EventError with every problem of the file, and of the file of the site that an
event is on, in one pass. It opens no connection and needs no engine; files of own steps are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from event.engine import sections_given, with_engine
from event.messages import EXPLAINED, translate, trapped
from event.model import Event, Lab, Site
from event.own_steps import OwnSteps, read_steps
from event.problems import EventError, Problem, Where, known_names, path_text, quoted
from event.references import Finding, event_findings, site_findings
from event.source import Section, Source, read_source
from event.stack import EventStack, SiteStack, Stack
from event.stack_names import stack_names, stack_path
from event.strict_yaml import PROJECT

__all__ = ["EventStack", "SiteStack", "Stack", "read_stack", "stack_path"]

Kind = TypeVar("Kind", bound=BaseModel)


def read_stack(
    stack_or_path: str, stacks_dir: FilePath, *, config: Mapping[str, Any] | None = None
) -> Stack:
    """Read a site or an event, by name or by the path of its file.

    `config` is what the engine decoded: `practicum:event`, `practicum:site`, `practicum:lab` as
    objects. It counts where it differs from the file. Raises EventError with all problems.
    """
    given = sections_given(config)
    name, path = stack_path(stack_or_path, stacks_dir, must_exist=not given)
    source = with_engine(_source(path) if path.exists() else Source(file=str(path)), given)
    problems = [*source.problems, *_composition(source)]
    if "event" in source.sections:
        return _event_stack(name, path, source, problems, stacks_dir)
    return _site_stack(name, path, source, problems)


def _source(path: FilePath) -> Source:
    relative = os.path.relpath(path)
    return read_source(path, str(path) if relative.startswith("..") else relative)


def _composition(source: Source) -> list[Problem]:
    """Whether the file is one site or one event."""
    names = source.sections.keys()
    if "event" in names and "site" in names:
        where = source.sections["site"].locate(("site",))
        return [
            Problem(
                where=where,
                path="config",
                message=f"has both {PROJECT}event and {PROJECT}site",
                hint="write the site into a stack file of its own, and its name behind on:",
            )
        ]
    if "lab" in names and "site" not in names:
        where = source.sections["lab"].locate(("lab",))
        hint = f"write it into the site's stack file, beside {PROJECT}site"
        return [Problem(where=where, path="lab", message="belongs to a site, not here", hint=hint)]
    if not names & {"event", "site"} and not source.problems:
        hint = f"write {PROJECT}event: or {PROJECT}site: below config:"
        where = Where(file=source.file, line=1)
        return [Problem(where=where, message="describes neither an event nor a site", hint=hint)]
    return []


def _event_stack(
    name: str, path: FilePath, source: Source, problems: list[Problem], stacks_dir: FilePath
) -> EventStack:
    section = source.sections["event"]
    event = _validated(Event, section, problems)
    site = None
    on = section.data.get("on") if isinstance(section.data, dict) else None
    if isinstance(on, str):
        site = _site_of(on, section, stacks_dir, problems)
    steps: tuple[OwnSteps, ...] = ()
    if event is not None:
        steps, findings = read_steps(event, path.parent)
        problems += _located(section, findings)
    if event is not None and site is not None:
        problems += _located(section, event_findings(event, site.site, site.name))
    if problems or event is None or site is None:
        raise EventError(problems)
    return EventStack(
        name=name, path=path, event=event, site=site, steps=steps, locate=section.locate
    )


def _site_of(
    on: str, section: Section, stacks_dir: FilePath, problems: list[Problem]
) -> SiteStack | None:
    """The site that an event is on; None, and more problems, if it cannot be had."""
    where = section.locate(("event", "on"))
    known = stack_names(stacks_dir)
    if on not in known:
        if not any(problem.path == "event.on" for problem in problems):
            problems.append(
                Problem(
                    where=where,
                    path="event.on",
                    found=quoted(on),
                    message=f"is no stack in {stacks_dir}",
                    hint=known_names(on, known),
                )
            )
        return None
    site_path = stack_path(on, stacks_dir)[1]
    try:
        source = _source(site_path)
        if "event" in source.sections or "site" not in source.sections:
            problems.append(
                Problem(
                    where=where,
                    path="event.on",
                    found=quoted(on),
                    message="is not a site",
                    hint=f"write the stack name of a site, a file with {PROJECT}site",
                )
            )
            return None
        return _site_stack(on, site_path, source, [*source.problems, *_composition(source)])
    except EventError as error:
        problems += error.problems
        return None


def _site_stack(name: str, path: FilePath, source: Source, problems: list[Problem]) -> SiteStack:
    if "site" not in source.sections:
        raise EventError(problems)
    section, lab_section = source.sections["site"], source.sections.get("lab")
    site = _validated(Site, section, problems)
    lab = _validated(Lab, lab_section, problems) if lab_section else None

    def locate(path: tuple[str | int, ...]) -> Where | None:
        inside = lab_section if lab_section and path[:1] == ("lab",) else section
        return inside.locate(path)

    if site is not None:
        for finding in site_findings(site, lab):
            at = lab_section if lab_section and finding.path[0] == "lab" else section
            problems += _located(at, [finding])
    if problems or site is None:
        raise EventError(problems)
    return SiteStack(name=name, path=path, site=site, lab=lab, locate=locate)


def _validated(kind: type[Kind], section: Section, problems: list[Problem]) -> Kind | None:
    """The model of a section's data; None, and more problems, if it is not allowed."""
    problems += trapped(kind, section)
    try:
        return kind.model_validate(section.data)
    except ValidationError as error:
        told = {problem.path for problem in problems}
        problems += [each for each in translate(error, kind, section) if each.path not in told]
        return None


def _located(section: Section, findings: Iterable[Finding]) -> list[Problem]:
    return [
        Problem(
            where=section.locate(path),
            path=path_text(path),
            found=found,
            message=message,
            hint=hint,
        )
        for path, found, message, hint in islice(findings, EXPLAINED)
    ]
