"""Parameters of a call against the method's description, with Proxmox VE's texts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from lab.errors import bad_parameters
from lab.spec import MethodSpec, Properties, Property, PropertyString

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DIGITS = 40  # of a whole number that is read as one
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
_MISSING = "property is missing and it is not optional"


def validate(spec: MethodSpec, raw: dict[str, Any]) -> dict[str, Any]:
    """The typed parameters; ApiError 400 that names every fault.

    Integers become int (beyond 64 bits float), numbers int or float, booleans 0 or 1, all else
    stays text (property strings too: `lab.formats.parse_property_string` takes them apart). JSON
    null is an absent parameter. A single value for an array becomes a list of one.
    """
    value, more = _variant(spec, raw)
    known = {**spec.parameters, **more}
    given = {name: _listed(known.get(name), value) for name, value in raw.items()}
    common = {name: value for name, value in given.items() if name not in more}
    errors = check_object(spec.parameters, common, additional=spec.additional)
    if more:
        own = {name: value for name, value in given.items() if name in more}
        errors |= check_object(more, own, path=f"oneOf[{value}]")
    if errors:
        raise bad_parameters(errors)
    return {
        name: _typed(known.get(name), value) for name, value in given.items() if value is not None
    }


def _variant(spec: MethodSpec, raw: dict[str, Any]) -> tuple[str, Properties]:
    """The value of the parameter that decides about others, and those others."""
    if spec.variants is None:
        return "", Properties()
    name, variants = spec.variants
    value = str(raw.get(name))
    return value, variants.get(value, Properties())


def check_object(
    properties: Properties, given: dict[str, Any], *, path: str = "", additional: bool = False
) -> dict[str, str]:
    """The faults of a set of values, by name (with `path.` in front inside property strings)."""
    prefix = f"{path}." if path else ""
    errors = {prefix + name: _MISSING for name in properties.required if given.get(name) is None}
    for name, value in given.items():
        known = properties.get(name)
        if known is None:
            if not additional:
                _add(errors, prefix + name, _UNKNOWN)
        elif value is not None:
            for place, fault in _faults(known, value, prefix + name):
                _add(errors, place, fault)
        if known and known.requires and given.get(known.requires) is None:
            text = f"missing property required by '{prefix}{name}'"
            _add(errors, prefix + known.requires, text)
    return errors


def _faults(known: Property, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Where what is wrong; each member of a list has a place of its own."""
    members = {path: (known, value)}
    if known.type == "array" and isinstance(value, list):
        items = known.items or Property(type="any")
        members = {f"{path}[{number}]": (items, item) for number, item in enumerate(value)}
    for place, (wanted, member) in members.items():
        if fault := check_value(wanted, member, place):
            yield place, fault


def _add(errors: dict[str, str], name: str, text: str) -> None:
    # Backslash and n, not a line break: so it comes from Proxmox VE.
    name = name or "_root"
    errors[name] = f"{errors[name]}\\n{text}" if name in errors else text


def check_value(known: Property, value: Any, path: str) -> str | None:
    """The first fault of one value, or None."""
    return _check_type(known, value) or _check_text(known, value, path)


def _check_type(known: Property, value: Any) -> str | None:
    kind = known.type
    if kind == "array":
        return "type check ('array') failed"
    if kind == "any" or (kind == "boolean" and isinstance(value, bool)):
        return None
    if isinstance(value, bool | list | dict):
        return f"type check ('{kind}') failed - got {_perl_type(value)}"
    text = str(value)
    wrong = (
        (kind == "integer" and not INTEGER.fullmatch(text))
        or (kind == "number" and not NUMBER.fullmatch(text))
        or (kind == "boolean" and text not in ("0", "1"))
    )
    return f"type check ('{kind}') failed - got '{text}'" if wrong else None


def _perl_type(value: Any) -> str:
    if isinstance(value, bool):
        return "JSON::PP::Boolean"
    return "ARRAY" if isinstance(value, list) else "HASH"


def _check_text(known: Property, value: Any, path: str) -> str | None:
    if isinstance(value, bool | list | dict):
        return None
    text = str(value)
    if known.format is not None and (fault := _check_format(known.format, text, path)):
        return f"invalid format - {fault}"
    if known.pattern is not None and not _pattern(known.pattern).fullmatch(text):
        return "value does not match the regex pattern"
    if known.max_length is not None and len(text) > known.max_length:
        return f"value may only be {known.max_length} characters long"
    if known.min_length is not None and len(text) < known.min_length:
        return f"value must be at least {known.min_length} characters long"
    return _check_range(known, text) or _check_enum(known, text)


def _check_range(known: Property, text: str) -> str | None:
    if known.maximum is None and known.minimum is None:
        return None
    if not NUMBER.fullmatch(text):
        return None
    if known.maximum is not None and float(text) > known.maximum:
        return f"value must have a maximum value of {known.maximum}"
    if known.minimum is not None and float(text) < known.minimum:
        return f"value must have a minimum value of {known.minimum}"
    return None


def _check_enum(known: Property, text: str) -> str | None:
    if known.enum is None or text in known.enum:
        return None
    return f"value '{text}' does not have a value in the enumeration '{', '.join(known.enum)}'"


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _check_format(wanted: str | PropertyString, text: str, path: str) -> str | None:
    from lab.formats import check_format

    return check_format(wanted, text, path)


def _listed(known: Property | None, value: Any) -> Any:
    """A value in the form that its description wants: one alone becomes a list where a list is
    wanted, several become one text where a text holds a list. What is false in Perl stays."""
    if known is None or value in (None, "", "0", 0, False):
        return value
    if known.type == "array" and not isinstance(value, bool | list | dict):
        return [value]
    if isinstance(value, list) and known.type == "string" and _holds_list(known):
        return ",".join(str(plain(member)) for member in value)
    return value


def plain(value: Any) -> Any:
    """A truth value of JSON as the text that it is from then on; other values as they are."""
    return str(int(value)) if isinstance(value, bool) else value


def _holds_list(known: Property) -> bool:
    return isinstance(known.format, str) and known.format.endswith("-list")


def _typed(known: Property | None, value: Any) -> Any:
    if known is None or isinstance(value, list | dict):
        return value
    if known.type == "boolean":
        return int(value)
    if known.type == "integer":
        return whole(value)
    if known.type == "number":
        return whole(value) if INTEGER.fullmatch(str(value)) else finite(str(value))
    return str(value)


def whole(value: Any) -> int | float:
    """A whole number; one beyond 64 bits is a float, as Perl has it."""
    text = str(value)
    number = int(text) if len(text) < _DIGITS else float(text)
    if -(2**63) <= number < 2**64:
        return int(number)
    return finite(text)


def finite(text: str) -> float:
    """A number that JSON can hold."""
    return max(-sys.float_info.max, min(sys.float_info.max, float(text)))
