"""Sections of the cluster's configuration files: which options a type of section takes.

Zones, HA resources, replication jobs, realms and the like are all sections of such files, and are
all checked the same way, with the same texts. What goes wrong while a file is locked comes back
with the name of the change in front, faults of parameters included: `within` does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.errors import ApiError, failure, late_text

Section = dict[str, Any]
_LINE_END = re.compile(r"[\n\r]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionType:
    """Options of one type: `required` when a section is made, `fixed` afterwards, `optional`."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """Every option."""
        return self.required | self.optional | self.fixed

    def check_new(self, values: Mapping[str, Any]) -> None:
        """500 for an option that the type does not have, then for one that it needs."""
        self._check_known(values)
        for name in sorted(self.required - values.keys()):
            raise failure(f"missing value for required option '{name}'")

    def check_change(self, values: Mapping[str, Any]) -> None:
        """500 for an option that the type does not have or that cannot be changed."""
        for name in values:
            if name in self.fixed:
                raise failure(f"can't change value of fixed parameter '{name}'")
        self._check_known(values)

    def _check_known(self, values: Mapping[str, Any]) -> None:
        for name in values:
            if name not in self.known:
                raise failure(f"unexpected property '{name}'")
        check_lines(values)

    def check_whole(self, name: str, section: Mapping[str, Any]) -> None:
        """500, as from the file's writer, for a section that lacks what it needs."""
        for option in sorted(self.required - section.keys()):
            raise failure(f"section '{name}' - missing value for required option '{option}'")

    def without(
        self, section: Section, gone: Iterable[str], values: Mapping[str, Any] | None = None
    ) -> Section:
        """The section without some options; `values` are those set in the same call."""
        for name in gone:
            if name not in self.known:
                raise failure(f"no such option '{name}'")
            if name in self.required:
                raise failure(f"unable to delete required option '{name}'")
            if name in self.fixed:
                raise failure(f"unable to delete fixed option '{name}'")
            if name in (values or {}):
                raise failure(f"cannot set and delete property '{name}' at the same time!")
        return {name: value for name, value in section.items() if name not in set(gone)}


def section_type(required: str = "", optional: str = "", fixed: str = "") -> SectionType:
    """A type from names with blanks between them; a fixed option may be required too."""
    return SectionType(
        required=frozenset(required.split()),
        optional=frozenset(optional.split()),
        fixed=frozenset(fixed.split()),
    )


@contextmanager
def within(change: str) -> Iterator[None]:
    """Put the name of a change in front of what fails in it: `change: text`, always as 500."""
    try:
        yield
    except ApiError as error:
        raise failure(f"{change}: {late_text(error)}") from error


def as_comments(text: str) -> str:
    """A description as a file keeps it in lines of comments; empty when it says nothing."""
    lines = text.rstrip("\n")
    return f"{lines}\n" if lines not in ("", "0") else ""


def check_lines(values: Mapping[str, Any]) -> None:
    """500 for a value of more than one line: in these files each stands on one."""
    if any(isinstance(value, str) and _LINE_END.search(value) for value in values.values()):
        raise failure("property contains a line feed")


def filled(values: Mapping[str, Any]) -> Section:
    """The options that say something, as a file keeps them: no empty ones, no blanks around a
    text, and of `disable` only that it is so."""
    plain = {n: v.strip() if isinstance(v, str) else v for n, v in values.items()}
    kept = {name: value for name, value in plain.items() if value != ""}
    if not kept.get("disable"):
        kept.pop("disable", None)
    return kept


def by_name(sections: Mapping[str, Section]) -> list[tuple[str, Section]]:
    """Sections in the order in which lists show them."""
    return sorted(sections.items())
