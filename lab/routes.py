"""From method and path to the code that answers and the description that checks its parameters.

Handlers register themselves with `@handles`; descriptions are the data in `lab/spec/`. A path is
matched segment by segment, empty segments do not count (`//version`, `pools/`), fixed segments
win over variables, and a variable takes any segment without white space. A variable named in
`REST` stands last and takes all that is left, slashes included.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from lab.call import Call
from lab.spec import MethodSpec

Handler = Callable[[Call], Awaitable[Any]]

REST = {"cidr", "volume"}
_SEGMENT = re.compile(r"\S+")
# Variables that take the rest of the path: a volume's name has slashes.
_REST = frozenset({"volume"})
_handlers: dict[tuple[str, str], Handler] = {}


def handles(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Register the decorated coroutine for one method of one path pattern."""

    def register(handler: Handler) -> Handler:
        add_handler(method, pattern, handler)
        return handler

    return register


def add_handler(method: str, pattern: str, handler: Handler) -> None:
    """Register a handler; a second one for the same call is a programming error."""
    key = (method, pattern)
    if key in _handlers:
        raise ValueError(f"{method} {pattern} has two handlers")
    _handlers[key] = handler


def handlers() -> dict[tuple[str, str], Handler]:
    """All registered handlers by (method, pattern)."""
    return dict(_handlers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path: what checks it and what answers it."""

    method: str
    pattern: str
    spec: MethodSpec
    handler: Handler


@dataclass(slots=True)
class _Branch:
    fixed: dict[str, _Branch] = field(default_factory=dict)
    name: str = ""
    variable: _Branch | None = None
    methods: dict[str, Endpoint] = field(default_factory=dict)


class Routes:
    """The tree of all paths that the lab answers."""

    def __init__(self) -> None:
        self._root = _Branch()
        self.endpoints: list[Endpoint] = []

    def add(self, endpoint: Endpoint) -> None:
        """Hang one endpoint into the tree; variables of one place must share their name."""
        branch = self._root
        for segment in filter(None, endpoint.pattern.split("/")):
            if not segment.startswith("{"):
                branch = branch.fixed.setdefault(segment, _Branch())
                continue
            if branch.variable is None:
                branch.name, branch.variable = segment[1:-1], _Branch()
            if branch.name != segment[1:-1]:
                raise ValueError(f"{endpoint.pattern}: variable is already called {branch.name}")
            branch = branch.variable
        branch.methods[endpoint.method] = endpoint
        self.endpoints.append(endpoint)

    def find(self, method: str, segments: list[str]) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint for the decoded, non-empty segments and its path variables, or None."""
        branch, variables = self._root, {}
        for place, segment in enumerate(segments):
            if branch.name in _REST and branch.variable is not None:
                variables[branch.name] = "/".join(segments[place:])
                branch = branch.variable
                break
            following = branch.fixed.get(segment)
            if following is None:
                if branch.variable is None or not _SEGMENT.fullmatch(segment):
                    return None
                following = branch.variable
                if branch.name in REST:
                    variables[branch.name] = "/".join(segments[place:])
                    branch = following
                    break
                variables[branch.name] = segment
            branch = following
        endpoint = branch.methods.get(method)
        return (endpoint, variables) if endpoint else None
