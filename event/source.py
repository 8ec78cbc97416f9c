"""A stack file, cut into the sections that are ours, each with its data and its places.

A section is what stands below `practicum:site`, `practicum:lab` or `practicum:event`. Other
configuration (secrets, other projects, the encryption salt) is Pulumi's and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from event.file_text import file_text
from event.problems import EventError, Path, Problem, Where, known_names, nearest, path_text
from event.scalars import TrapError, resolve
from event.strict_yaml import PROJECT, Mapping, Node, Scalar, Sequence, compose

SECTIONS = ("event", "site", "lab")

OTHER_KEYS = ("secret", "apiToken")
"""Configuration of the project that other readers take; secrets, hence never read here."""

TOP_KEYS = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""Keys of a Pulumi stack file."""

EXPLAINED = 100
"""Unknown keys and doubtful words that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One of our sections: its data, and, if it was read from a file, its nodes and places.

    `traps` are the doubtful words that were met on the way from nodes to data, by their path.
    """

    name: str
    data: Any
    file: str
    node: Node | None = None
    line: int = 0
    traps: dict[Path, TrapError] = field(default_factory=dict)

    def locate(self, path: Path) -> Where | None:
        """Line of a path that starts with the section's name, or of the nearest thing above."""
        if self.node is None:
            return None
        return Where(file=self.file, line=_line(self.node, self.line, path[1:]))

    def written(self, path: Path) -> Node | None:
        """The node at a path that starts with the section's name."""
        node = self.node
        for part in path[1:]:
            node = _child(node, part)
        return node

    def is_encrypted(self, path: Path) -> bool:
        """Whether the file keeps the value at the path, or one around it, encrypted."""
        return any(
            isinstance(node := self.written(path[:length]), Mapping)
            and set(node.entries) == {"secure"}
            for length in range(1, len(path) + 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stack file, read: our sections by name, and the problems outside of them."""

    file: str
    sections: dict[str, Section] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_source(path: FilePath, file: str) -> Source:
    """Read a stack file. `file` is how problems name it. Raises EventError if it is unreadable."""
    tree, problems = compose(file_text(path, file), file)
    if not isinstance(tree, Mapping):
        where = Where(file=file, line=tree.line if tree else 1)
        hint = "start it with config: and, indented below, practicum:event: or practicum:site:"
        raise EventError(
            [*problems, Problem(where=where, message="is not a stack file", hint=hint)]
        )
    problems += _strays(tree, file)
    config = tree.entries.get("config")
    if not isinstance(config, Mapping):
        return Source(file=file, problems=tuple(problems))
    problems += _stray_config(config, file)
    problems += _bare_secrets(config, file)
    sections = {
        name: _section(name, node, config.lines[PROJECT + name], file)
        for name in SECTIONS
        if (node := config.entries.get(PROJECT + name)) is not None
    }
    return Source(file=file, sections=sections, problems=tuple(problems))


def _strays(tree: Mapping, file: str) -> Iterator[Problem]:
    """Keys at the left margin that no stack file has."""
    strays = [key for key in tree.entries if key not in TOP_KEYS]
    for key in strays[:EXPLAINED]:
        hint = known_names(key, TOP_KEYS)
        if key.startswith(PROJECT) or key in SECTIONS:
            hint = f"indent it below config: and name it {PROJECT}{key.removeprefix(PROJECT)}"
        yield Problem(
            where=Where(file=file, line=tree.lines[key]),
            path=path_text((key,)),
            message="is not a key of a stack file",
            hint=hint,
        )


def _stray_config(config: Mapping, file: str) -> Iterator[Problem]:
    """Keys below `config` that look like ours and are none."""
    known = [PROJECT + name for name in (*SECTIONS, *OTHER_KEYS)]
    strays = [key for key in config.entries if key not in known]
    for key in strays[:EXPLAINED]:
        project, colon, name = key.rpartition(":")
        meant = nearest(name, (*SECTIONS, *OTHER_KEYS))
        is_ours = project == PROJECT[:-1] or (nearest(project, [PROJECT]) and meant)
        if (colon and not is_ours) or (not colon and not meant):
            continue
        hint = f"did you mean {PROJECT}{meant}? Known: " if meant else "known: "
        yield Problem(
            where=Where(file=file, line=config.lines[key]),
            path=path_text(("config", key)),
            message="is not a key of practicum",
            hint=hint + ", ".join(known),
        )


def _bare_secrets(config: Mapping, file: str) -> Iterator[Problem]:
    """Secrets that stand in the file for everybody to read; no part of them is shown."""
    for name in OTHER_KEYS:
        key = PROJECT + name
        node = config.entries.get(key)
        if isinstance(node, Scalar) and node.text:
            yield Problem(
                where=Where(file=file, line=config.lines[key]),
                path=path_text(("config", key)),
                message="is a secret that everybody can read here",
                hint=f"take the line out, and type: pulumi config set --secret {key}",
            )


def _section(name: str, node: Node, line: int, file: str) -> Section:
    traps: dict[Path, TrapError] = {}

    def data(node: Node, path: Path) -> Any:
        if isinstance(node, Mapping):
            return {key: data(value, (*path, key)) for key, value in node.entries.items()}
        if isinstance(node, Sequence):
            return [data(item, (*path, at)) for at, item in enumerate(node.items)]
        if not node.plain or len(traps) >= EXPLAINED:
            return node.text
        try:
            return resolve(node.text)
        except TrapError as trap:
            traps[path] = trap
            return node.text

    decoded = data(node, (name,))
    return Section(name=name, data=decoded, file=file, node=node, line=line, traps=traps)


def _child(node: Node | None, part: str | int) -> Node | None:
    if isinstance(node, Mapping) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def _line(node: Node, line: int, path: Path) -> int:
    """Line of the key or item that the path leads to, or of the last one on the way."""
    for part in path:
        child = _child(node, part)
        if child is None:
            break
        is_key = isinstance(node, Mapping) and isinstance(part, str)
        line = node.lines[part] if is_key else child.line  # type: ignore[union-attr,index]
        node = child
    return line
