"""The text of a stack file: found, read within limits, and cut into the sections that are ours.

A section is what stands below `practicum:site`, `practicum:lab` or `practicum:event`. Other
configuration (secrets, other projects, the encryption salt) is Pulumi's and is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from event.problems import (
    EventError,
    Path,
    Problem,
    Where,
    known_names,
    nearest,
    path_text,
    quoted,
    shown,
)
from event.scalars import Trap, resolve
from event.strict_yaml import PROJECT, Mapping, Node, Scalar, Sequence, compose

MAX_BYTES = 5_000_000
"""Size of a stack file."""

SECTIONS = ("site", "lab", "event")

OTHER_KEYS = ("secret", "apiToken")
"""Configuration of the project that other readers take; secrets, hence never read here."""

TOP_KEYS = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""Keys of a Pulumi stack file."""

_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Section:
    """One of our sections: its data, the nodes it was read from, and the problems so far."""

    name: str
    data: Any
    node: Node
    line: int
    file: str
    problems: dict[Path, Problem] = field(default_factory=dict)

    def locate(self, path: Path) -> Where:
        """Line of a path that starts with the section's name, or of the nearest thing above."""
        return Where(file=self.file, line=_line(self.node, self.line, path[1:]))

    def written(self, path: Path) -> Node | None:
        """The node at a path that starts with the section's name."""
        node: Node | None = self.node
        for part in path[1:]:
            node = _child(node, part)
        return node


@dataclass(frozen=True, slots=True)
class Source:
    """A stack file, read: our sections by name, and the problems outside of them."""

    file: str
    sections: dict[str, Section]
    problems: tuple[Problem, ...]


def read_source(path: FilePath, file: str) -> Source:
    """Read a stack file. `file` is how problems name it. Raises EventError if it is unreadable."""
    tree, problems = compose(_text(path, file), file)
    if not isinstance(tree, Mapping):
        raise EventError(
            [*problems, Problem(
                where=Where(file=file, line=tree.line if tree else 1),
                message="is no stack file",
                hint="start it with config: and, indented below, practicum:event: or practicum:site:",
            )]
        )  # fmt: skip
    problems += _unknown(tree, file, TOP_KEYS)
    config = tree.entries.get("config")
    line = tree.lines.get("config", 1)
    sections: dict[str, Section] = {}
    if isinstance(config, Mapping):
        problems += _unknown_config(config, file)
        for name in SECTIONS:
            node = config.entries.get(PROJECT + name)
            if node is not None:
                sections[name] = _section(name, node, config.lines[PROJECT + name], file)
    elif not (isinstance(config, Scalar) or config is None):
        problems.append(_problem(file, line, "config", "is not a mapping", "write practicum:event: or practicum:site: below it"))
    return Source(file, sections, tuple(problems))


def _text(path: FilePath, file: str) -> str:
    """The file's text, if it is a file of the allowed size in UTF-8 without control characters."""
    where = Where(file=file, line=1)
    if not path.is_file():
        raise EventError([Problem(where=where, message="is no file", hint="name a stack file")])
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise EventError(
            [Problem(where=where, message=f"cannot be read: {reason}", hint="check its rights")]
        ) from None
    if len(content) > MAX_BYTES:
        raise EventError(
            [Problem(where=where, message="is larger than 5 MB", hint="name a stack file")]
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        where = Where(file=file, line=line)
        raise EventError(
            [Problem(where=where, message="is not UTF-8", hint="save the file as UTF-8")]
        ) from None
    if invisible := _INVISIBLE.search(text):
        line = text.count("\n", 0, invisible.start()) + 1
        message = f"holds the control character U+{ord(invisible[0]):04X}"
        raise EventError(
            [Problem(where=Where(file=file, line=line), message=message, hint="delete it")]
        )
    return text


def _unknown(tree: Mapping, file: str, known: tuple[str, ...]) -> list[Problem]:
    return [
        _problem(file, tree.lines[key], path_text((key,)), "is no key of a stack file", known_names(key, known))
        for key in tree.entries
        if key not in known
    ]


def _unknown_config(config: Mapping, file: str) -> list[Problem]:
    """Keys below `config` that look like ours and are none."""
    problems = []
    known = (*SECTIONS, *OTHER_KEYS)
    for key in config.entries:
        project, colon, name = key.rpartition(":")
        ours = project == PROJECT.removesuffix(":") and name in known
        if ours:
            continue
        meant = nearest(name, known)
        if project == "practicum":
            hint = f"did you mean {PROJECT}{meant}? " if meant else ""
            hint += "Known: " if meant else "known: "
            hint += ", ".join(PROJECT + other for other in known)
        elif not colon and meant:
            hint = f"write {PROJECT}{meant}"
        else:
            continue
        problems.append(
            _problem(file, config.lines[key], path_text(("config", key)), "is no key of practicum", hint)
        )
    return problems


def _problem(file: str, line: int, path: str, message: str, hint: str) -> Problem:
    return Problem(where=Where(file=file, line=line), path=path, message=message, hint=hint)


def _section(name: str, node: Node, line: int, file: str) -> Section:
    decoder = _Decoder(file)
    data = decoder.data(node, (name,), line)
    return Section(name, data, node, line, file, decoder.problems)


class _Decoder:
    """Turns nodes into data."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: dict[Path, Problem] = {}

    def data(self, node: Node, path: Path, line: int) -> Any:
        if isinstance(node, Mapping):
            return {
                key: self.data(value, (*path, key), node.lines[key])
                for key, value in node.entries.items()
            }
        if isinstance(node, Sequence):
            return [
                self.data(item, (*path, index), item.line)
                for index, item in enumerate(node.items)
            ]
        return self._scalar(node, path, line)

    def _scalar(self, node: Scalar, path: Path, line: int) -> Any:
        if not node.plain:
            return node.text
        try:
            return resolve(node.text)
        except Trap as trap:
            self.problems[path] = Problem(
                where=Where(file=self.file, line=line),
                path=path_text(path),
                found=shown(node.text)[1:-1],
                message=trap.message,
                hint=trap.hint,
            )
            return node.text


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
        line = node.lines[part] if isinstance(node, Mapping) and isinstance(part, str) else child.line
        node = child
    return line
