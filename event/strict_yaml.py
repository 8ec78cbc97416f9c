"""Strict YAML: text → tree of nodes with lines, every doubtful construct told with its line.

Refused are a second value for a key, keys that are not words, merge keys, tags, a second document,
aliases beyond `MAX_ALIASES`, nesting beyond `MAX_DEPTH`, more than `MAX_NODES` nodes (aliases
counted as often as they are used). Reading takes time in proportion to the file, whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from event.problems import EventError, Path, Problem, Where, path_text, shown
from event.scalars import NO_WORDS
from event.yaml_errors import explain

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_ALIASES = 100
MAX_PROBLEMS = 200

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

PROJECT = "practicum:"


@dataclass(slots=True)
class Scalar:
    """A word; `plain` if it stands without quotes."""

    line: int
    text: str
    plain: bool
    size: int = 1


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class Mapping:
    """Keys with their values, and the line of each key."""

    line: int
    entries: dict[str, Node] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    size: int = 1


Node = Scalar | Sequence | Mapping


def shown_path(path: Path) -> Path:
    """The path without the keys that every stack file has: `config`, and our project's name."""
    if _is_ours(path):
        return (str(path[1]).removeprefix(PROJECT), *path[2:])
    return path


def compose(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of the only document (None if empty), and the problems that leave it readable.

    Raises EventError if the text cannot be read to its end.
    """
    composer = _Composer(text, file)
    try:
        return composer.document(), composer.problems
    except yaml.YAMLError as error:
        line, message, hint = explain(error, text)
        with suppress(_StoppedError):
            composer.tell(line, (), message, hint)
    except _StoppedError:
        pass
    raise EventError(composer.problems)


class _StoppedError(Exception):
    """The rest of the text is not worth reading; the reason is in the problems."""


class _Composer:
    """Builds the tree from the parser's events, so that a limit stops the parser itself."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliases = 0

    def tell(self, line: int, path: Path, message: str, hint: str) -> None:
        self.problems.append(
            Problem(
                where=Where(file=self.file, line=line),
                path=path_text(shown_path(path)),
                message=message,
                hint=hint,
            )
        )
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StoppedError

    def document(self) -> Node | None:
        tree: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.tell(_line_of(event), (), "starts a second document", "keep one per file")
                    raise _StoppedError
                tree = self._node(next(self._events), (), 1)
        return tree

    def _node(self, event: Any, path: Path, depth: int) -> Node:
        line = _line_of(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line, path)
        if depth > MAX_DEPTH:
            self.tell(line, path[:4], f"is nested deeper than {MAX_DEPTH} levels", "write it flat")
            raise _StoppedError
        self._count(1, line, path)
        if event.tag is not None and (event.tag != "!" or not isinstance(event, yaml.ScalarEvent)):
            self.tell(line, path, f"has the tag {shown(_short_tag(event.tag))}", "leave it out")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._filled(event, line, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _filled(self, event: Any, line: int, path: Path, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(line, event.value, plain=not event.style and event.tag is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(line, path, depth)
        return self._mapping(line, path, depth)

    def _sequence(self, line: int, path: Path, depth: int) -> Sequence:
        sequence = Sequence(line)
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item = self._node(event, (*path, len(sequence.items)), depth + 1)
            sequence.items.append(item)
            sequence.size += item.size
        return sequence

    def _mapping(self, line: int, path: Path, depth: int) -> Mapping:
        mapping = Mapping(line)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key_line = _line_of(event)
            key = self._key(event, path, depth)
            here = path if key is None else (*path, key)
            value = self._node(next(self._events), here, depth + 1)
            mapping.size += value.size
            if key is None:
                continue
            if key in mapping.entries:
                first = mapping.lines[key]
                hint = f"it is on line {first} already; keep one of them"
                self.tell(key_line, here, "is written twice", hint)
                continue
            mapping.entries[key] = value
            mapping.lines[key] = key_line
        return mapping

    def _key(self, event: Any, path: Path, depth: int) -> str | None:
        """The key as text, or None (and a problem) if it cannot be one."""
        line = _line_of(event)
        node = self._node(event, path, depth + 1)
        if not isinstance(node, Scalar):
            self.tell(line, path, "has a key that is no word", "write one word before each colon")
            return None
        if node.plain and node.text == "<<":
            self.tell(line, path, "has a merge key <<", "write the keys out")
            return None
        if node.plain and _is_ours(path) and node.text in NO_WORDS:
            self.tell(line, path, f"has the key {node.text}", f'write it in quotes: "{node.text}"')
            return None
        return node.text

    def _alias(self, name: str, line: int, path: Path) -> Node:
        node = self._anchors.get(name)
        if node is None:
            alias = f"has the alias *{shown(name)[1:-1]}"
            message = f"{alias}, which nothing above defines"
            hint = "write the value itself, or quote a text that starts with *"
            if name in self._anchors:
                message, hint = f"{alias} inside what it stands for", "write it out"
            self.tell(line, path, message, hint)
            raise _StoppedError
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self.tell(line, path, f"is alias number {self._aliases}", f"use at most {MAX_ALIASES}")
            raise _StoppedError
        self._count(node.size, line, path)
        return node

    def _count(self, nodes: int, line: int, path: Path) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self.tell(
                line,
                path[:4],
                f"is more than {MAX_NODES} keys and values, aliases written out",
                "take the aliases out, or write a smaller file",
            )
            raise _StoppedError


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_ours(path: Path) -> bool:
    """Whether a path lies in one of our sections; keys elsewhere are not ours to judge."""
    return len(path) > 1 and path[0] == "config" and str(path[1]).startswith(PROJECT)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
