"""Named formats of values, and texts made of keys and values (property strings).

A named format is a function that takes the text and raises `ValueError` with Proxmox VE's
words when it does not fit. Names may end in `-list` (comma, semicolon or blank separated, may be
empty) or `-opt` (may be empty).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.spec import Property, PropertyString, load_formats
from lab.validate import INTEGER, NUMBER, check_object, finite, whole

Check = Callable[[str], None]
TogetherCheck = Callable[[dict[str, Any]], None]
_checks: dict[str, Check] = {}
_together: dict[str, list[TogetherCheck]] = {}
_PAIR = re.compile(r"([^=]+)=(.+)\n?")
_SEPARATOR = re.compile(r"[,;\s\x00]+")
_TRUE = {"1", "on", "yes", "true"}
_FALSE = {"0", "off", "no", "false"}


def named_format(name: str) -> Callable[[Check], Check]:
    """Register the decorated function as the check of a named format."""

    def register(check: Check) -> Check:
        if name in _checks:
            raise ValueError(f"format {name} is checked twice")
        _checks[name] = check
        return check

    return register


def checked_together(name: str) -> Callable[[TogetherCheck], TogetherCheck]:
    """Register the decorated function as a check of whether the keys of a named property string
    go together; it raises `ValueError`."""

    def register(check: TogetherCheck) -> TogetherCheck:
        _together.setdefault(name, []).append(check)
        return check

    return register


def split_list(text: str) -> list[str]:
    """The members of a list as Proxmox VE reads it: commas, semicolons and blanks separate."""
    return [member for member in _SEPARATOR.split(text) if member]


def check_format(wanted: str | PropertyString, text: str, path: str = "") -> str | None:
    """The fault of a text in a format, with its final newline as Proxmox VE sends it, or None."""
    try:
        if isinstance(wanted, PropertyString):
            parse_property_string(wanted, text, path)
        else:
            _check_named(wanted, text, path)
    except FormatError as error:
        return str(error)
    except ValueError as error:
        return f"{error}\n"
    return None


class FormatError(ValueError):
    """A property string that does not fit; the text is complete, one line a fault."""


def _check_named(wanted: str, text: str, path: str) -> None:
    if wanted in load_formats():
        parse_property_string(wanted, text, path)
    elif wanted in _checks:
        _checks[wanted](text)
    elif wanted.endswith("-opt"):
        if text not in ("", "0"):  # which are both nothing in Perl
            _check_named(wanted.removesuffix("-opt"), text, path)
    elif wanted.endswith("-list"):
        for member in split_list(text):
            _check_named(wanted.removesuffix("-list"), member, path)
    else:
        raise LookupError(f"format {wanted} is not defined")


def parse_property_string(
    wanted: str | PropertyString, text: str, path: str = ""
) -> dict[str, Any]:
    """The keys and typed values of a property string; `FormatError` when it does not fit.

    Booleans come as 0 or 1, integers as int; a value without its key gets the default key.
    """
    known = load_formats()[wanted] if isinstance(wanted, str) else wanted
    found = _split(known, text)
    errors = check_object(known.properties, found, path=path)
    if errors:
        lines = "".join(f"{name}: {fault}\n" for name, fault in errors.items())
        raise FormatError(f"format error\n{lines}")
    typed = {key: _typed(known.properties[key], value) for key, value in found.items()}
    for check in _together.get(wanted, ()) if isinstance(wanted, str) else ():
        check(typed)
    return typed


def _split(known: PropertyString, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    bare = False
    for part in text.split(","):
        if not part.strip():
            continue
        pair = _PAIR.fullmatch(part)
        if pair is not None:
            _put_named(known, pair[1], pair[2], found)
        elif "=" in part:
            raise ValueError("missing key in comma-separated list property")
        elif bare:
            raise ValueError(f"duplicate key in comma-separated list property: {known.default_key}")
        else:
            _put_default(known, part, found)
            bare = True
    return found


def _put_default(known: PropertyString, value: str, found: dict[str, str]) -> None:
    key = known.default_key
    if key is None:
        raise ValueError("value without key, but schema does not define a default key")
    if found.get(key) not in (None, "0"):
        raise ValueError(f"duplicate key in comma-separated list property: {key}")
    found[key] = _boolean(value) if known.properties[key].type == "boolean" else value


def _put_named(known: PropertyString, key: str, value: str, found: dict[str, str]) -> None:
    if key in found:
        raise ValueError(f"duplicate key in comma-separated list property: {key}")
    named = known.properties.get(key)
    if named is not None and named.alias is not None:
        if named.key_alias is not None:
            if named.key_alias in found:
                raise ValueError(f"key alias '{named.key_alias}' is already defined")
            found[named.key_alias] = key
        key, named = named.alias, known.properties.get(named.alias)
        if key in found:
            raise ValueError(f"key '{key}' is already defined (via alias)")
    if named is not None and named.type == "boolean":
        value = _boolean(value)
    found[key] = value


def _boolean(text: str) -> str:
    word = text.lower()
    return "1" if word in _TRUE else "0" if word in _FALSE else text


class _SpelledInt(int):
    """A whole number that is printed as it was written: `007`."""

    spelling: str

    def __str__(self) -> str:
        return self.spelling


class _SpelledFloat(float):
    """A number that is printed as it was written: `3.50`."""

    spelling: str

    def __str__(self) -> str:
        return self.spelling


def _typed(known: Property, value: str) -> Any:
    if known.type not in ("integer", "boolean", "number"):
        return value
    fractional = known.type == "number" and not INTEGER.fullmatch(value)
    number = finite(value) if fractional else whole(value)
    if str(number) == value:
        return number
    spelled = _SpelledInt(number) if isinstance(number, int) else _SpelledFloat(number)
    spelled.spelling = value
    return spelled


def print_property_string(wanted: str | PropertyString, values: dict[str, Any]) -> str:
    """The text of keys and values: the default key first and bare, an aliased pair as
    `word=value`, then required keys and the others, each sorted."""
    known = load_formats()[wanted] if isinstance(wanted, str) else wanted
    rest = dict(values)
    parts: list[str] = []
    for prop in known.properties.values():
        if prop.alias and prop.key_alias and rest.get(prop.key_alias) and prop.alias in rest:
            parts.append(f"{rest.pop(prop.key_alias)}={rest.pop(prop.alias)}")
            break
    default = known.default_key
    if default in rest and default is not None:
        parts.append(str(rest.pop(default)))
    needed = set(known.properties.required)
    parts.extend(f"{key}={rest[key]}" for key in sorted(rest, key=lambda k: (k not in needed, k)))
    return ",".join(parts)


__all__ = [
    "INTEGER",
    "NUMBER",
    "FormatError",
    "check_format",
    "checked_together",
    "named_format",
    "parse_property_string",
    "print_property_string",
    "split_list",
]
