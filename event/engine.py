"""What the engine decoded from a stack file, put in place of what we read there ourselves.

The engine hands over objects whose secrets are decrypted. Where such an object says the same as the
file, places stay known; where it differs (configuration from elsewhere), it counts and its problems
have no line.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import replace
from typing import Any

from event.source import SECTIONS, Section, Source
from event.strict_yaml import PROJECT


def sections_given(config: MappingABC[str, Any] | None) -> dict[str, Any]:
    """Objects of the engine's configuration that are ours, by section."""
    return {
        name: config[PROJECT + name]
        for name in SECTIONS
        if config and config.get(PROJECT + name) is not None
    }


def with_engine(source: Source, given: MappingABC[str, Any]) -> Source:
    """The source with the engine's objects; without any, the source itself."""
    if not given:
        return source
    sections = {name: _section(name, data, source) for name, data in given.items()}
    return replace(source, sections=sections)


def _section(name: str, data: Any, source: Source) -> Section:
    section = source.sections.get(name)
    if section is not None and section.traps:
        return section  # the engine took a doubtful word in its own way
    if section is None or not same(section.data, data):
        return Section(name=name, data=data, file=source.file)
    return replace(section, data=_filled(section.data, data))


def _filled(written: Any, decoded: Any) -> Any:
    """What is written, in its own order, with the decoded values: the engine sorts keys."""
    if isinstance(written, dict) and isinstance(decoded, dict):
        return {key: _filled(value, decoded[key]) for key, value in written.items()}
    if isinstance(written, list) and isinstance(decoded, list):
        return [_filled(*pair) for pair in zip(written, decoded, strict=True)]
    return decoded


def same(written: Any, decoded: Any) -> bool:
    """Whether a decoded object says what the file says; an encrypted value says anything."""
    if isinstance(written, dict) and set(written) == {"secure"}:
        return isinstance(decoded, str)
    if isinstance(written, dict) and isinstance(decoded, dict):
        return written.keys() == decoded.keys() and all(
            same(value, decoded[key]) for key, value in written.items()
        )
    if isinstance(written, list) and isinstance(decoded, list):
        return len(written) == len(decoded) and all(map(same, written, decoded))
    return (type(written) is type(decoded) and bool(written == decoded)) or _same_number(
        written, decoded
    )


def _same_number(written: Any, decoded: Any) -> bool:
    """64.0 in the file is 64 to the engine."""
    numbers = all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in (written, decoded)
    )
    return numbers and bool(written == decoded)
