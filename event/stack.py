"""Stacks: a site or an event as it was written, with the place of every word in its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath

from event.model import Event, Lab, Site
from event.own_steps import OwnSteps
from event.problems import Path, Problem, Where, path_text

Locate = Callable[[Path], Where | None]
"""From a path such as ("event", "clusters", "count") to its line, or the nearest line above it.

None if the value did not come from a file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Located:
    name: str
    path: FilePath
    locate: Locate

    def problem(
        self, path: Path, message: str, *, found: str | None = None, hint: str = ""
    ) -> Problem:
        """A problem of this stack's file. `path` starts with `event`, `site` or `lab`."""
        return Problem(
            where=self.locate(path), path=path_text(path), found=found, message=message, hint=hint
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStack(_Located):
    """A stack that describes a site, and the lab that may stand in for it."""

    site: Site
    lab: Lab | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStack(_Located):
    """A stack that describes an event, and the stack of the site that it is on.

    `steps` are the organiser's own, with their files as they were when the stack was read.
    """

    event: Event
    site: SiteStack
    steps: tuple[OwnSteps, ...] = ()


Stack = SiteStack | EventStack
