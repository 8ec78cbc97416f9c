"""What pydantic found, in our words: the value, what is allowed, the name that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from event.problems import Path, Problem, known_names, nearest, path_text, quoted, shown
from event.rule import NOT_TEXT, REFUSED, RefusedError
from event.scalars import TrapError
from event.shape import Shape, keys_of, shape_at
from event.source import Section
from event.strict_yaml import Scalar

EXPLAINED = 200
"""Errors that are explained; beyond them, a file is told where it is wrong, and no more."""

_ENCRYPTED = "the encrypted value"

_TYPES = frozenset(
    f"{name}_type" for name in ("int", "float", "bool", "string", "list", "dict", "model")
) | {"int_from_float", "finite_number"}


def translate(error: ValidationError, kind: type[BaseModel], section: Section) -> list[Problem]:
    """Problems for the errors that pydantic found in a section."""
    errors = error.errors(include_url=False, include_context=True)
    meant = dict(_meant(errors[:EXPLAINED], kind))
    found = []
    for number, details in enumerate(errors):
        path, is_key = _path(details["loc"])
        if details["type"] == "missing" and path in meant.values():
            continue
        if number >= EXPLAINED:
            found.append(_problem(section, path, "is not allowed"))
        else:
            found.append(_explained(details, path, is_key, kind, section))
    return found


def _meant(errors: list[Any], kind: type[BaseModel]) -> Iterator[tuple[Path, Path]]:
    """For each unknown key the path of the missing key that was most likely meant."""
    missing = {tuple(details["loc"]) for details in errors if details["type"] == "missing"}
    for details in errors:
        if details["type"] != "extra_forbidden":
            continue
        *above, key = details["loc"]
        near = nearest(str(key), _known(kind, tuple(above)))
        if near and (*above, near) in missing:
            yield tuple(details["loc"]), (*above, near)


def _path(location: tuple[str | int, ...]) -> tuple[Path, bool]:
    """The path of an error, and whether it is about the last key of it."""
    if location and location[-1] == "[key]":
        return location[:-1], True
    return location, False


def _explained(
    details: Any, path: Path, is_key: bool, kind: type[BaseModel], section: Section
) -> Problem:
    value, context = details["input"], details.get("ctx", {})
    shape = shape_at(kind, path)
    match details["type"]:
        case "extra_forbidden":
            hint = known_names(str(path[-1]), _known(kind, path[:-1]), limit=30)
            return _problem(section, path, "is not a known key", hint)
        case "missing":
            hint = f"write {shape.allowed}" if shape else ""
            return _problem(section, path, "is missing", hint)
        case "too_long":
            has = f"has more than {context['max_length']} entries"
            return _problem(section, path, has, f"write at most {context['max_length']}")
        case "too_short":
            hint = f"write at least {context['min_length']} entry" + (
                f": {shape.item.allowed}" if shape and shape.item else ""
            )
            return _problem(section, path, "is empty", hint)
        case kind_of if kind_of == REFUSED:
            found = f"the name {quoted(value)}" if is_key else _shown(value, path, section)
            hint = context["hint"]
            told = None if context["conceal"] else found
            return _problem(section, path, context["message"], hint, told)
        case kind_of if kind_of == NOT_TEXT:
            return _not_text(value, path, shape, section)
    return _not_allowed(value, path, shape, section, wrong_type=details["type"] in _TYPES)


def _not_allowed(
    value: object, path: Path, shape: Shape | None, section: Section, *, wrong_type: bool
) -> Problem:
    """A value that its field does not take: of another type, out of bounds, or no choice."""
    if shape is None:
        return _problem(section, path, "is not allowed", "", _shown(value, path, section))
    hint = f"write {shape.allowed}"
    if isinstance(value, dict) and set(value) == {"secure"}:
        return _problem(section, path, "is encrypted, and nothing here is a secret", hint)
    if value is None:
        return _problem(section, path, "has no value", hint)
    if isinstance(value, str) and wrong_type and not shape.choices:
        hint += ", without quotes" if _is_number_or_boolean(value) else ""
    if isinstance(value, str) and shape.choices and (near := nearest(value, shape.choices)):
        hint = f"did you mean {near}? Write {shape.allowed}"
    return _problem(section, path, "is not allowed", hint, _shown(value, path, section))


def _not_text(value: object, path: Path, shape: Shape | None, section: Section) -> Problem:
    """Something that is no text where text is wanted, often only for want of quotes."""
    rule = shape.rule if shape else None
    node = section.written((section.name, *path))
    if rule and isinstance(node, Scalar) and isinstance(value, (bool, int, float)):
        try:
            rule.parse(node.text)
        except RefusedError:
            pass
        else:
            what = "a truth value" if isinstance(value, bool) else "a number"
            if what == "a number" and shown(value) != node.text:
                what = f"the number {shown(value)}"
            message = f"without quotes is {what}, not text"
            return _problem(section, path, message, f'write it in quotes: "{node.text}"', node.text)
    return _not_allowed(value, path, shape, section, wrong_type=True)


def trapped(kind: type[BaseModel], section: Section) -> list[Problem]:
    """Problems for the doubtful words of a section, each with what its field would take."""
    return [
        _problem(section, path[1:], trap.message, _untrapped(trap, shape_at(kind, path[1:])), found)
        for path, trap in islice(section.traps.items(), EXPLAINED)
        if (found := quoted(trap.word)[1:-1])
    ]


def _untrapped(trap: TrapError, shape: Shape | None) -> str:
    """What to write instead of a doubtful word."""
    in_quotes = quoted(trap.word)
    if shape is None:
        return f"write {trap.value} or {in_quotes}" if trap.value else f"write {in_quotes}"
    if shape.rule is not None:
        try:
            shape.rule.parse(trap.word)
        except RefusedError:
            return f"write {shape.allowed}"
        return f"write it in quotes: {in_quotes}"
    is_truth = trap.value in {"true", "false"}
    if trap.value is not None and shape.kind is not None and is_truth == (shape.kind is bool):
        return f"write {trap.value}"
    return f"write {shape.allowed}"


def _shown(value: object, path: Path, section: Section) -> str:
    """The value, unless it is kept encrypted in the file; then, no part of it."""
    return _ENCRYPTED if section.is_encrypted((section.name, *path)) else shown(value)


def _problem(
    section: Section, path: Path, message: str, hint: str = "", found: str | None = None
) -> Problem:
    full = (section.name, *path)
    return Problem(
        where=section.locate(full), path=path_text(full), found=found, message=message, hint=hint
    )


def _known(kind: type[BaseModel], path: Path) -> list[str]:
    shape = shape_at(kind, path)
    return keys_of(shape.model) if shape and shape.model else []


def _is_number_or_boolean(text: str) -> bool:
    return (
        text.strip().lower() in {"true", "false"}
        or text.strip().lstrip("+-").replace(".", "", 1).isdigit()
    )
