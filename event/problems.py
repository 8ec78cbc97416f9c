"""Problems: what is wrong with what somebody wrote, in one sentence that lets them put it right.

Every error that a person can correct is in one small tree. The command line prints it without a
traceback and ends with exit code 1; any other exception is a bug and keeps its traceback.

    PracticumError            somebody can correct it
    ├── EventError            a stack file says something that is not allowed; carries `problems`
    │   └── PlanError         the file is well written, but cannot be planned (space, VLANs, …)
    └── RunError              something failed while the event was built, run or checked
"""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_PROBLEMS = 100
"""Problems that an error prints; the rest are counted."""

SHOWN_LENGTH = 60
"""Characters of a found text that a problem shows."""

Path = tuple[str | int, ...]
"""Keys and list positions from `event`, `site` or `lab` inwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, what was found, what is the matter, what to write instead.

    Reads `<where> <path>: <found> <message>; <hint>`; every part but the message may be missing.
    `found` is text made by `shown`, or a name as it was written.
    """

    message: str
    path: str = ""
    where: Where | None = None
    found: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (str(self.where or ""), self.path) if part)
        what = " ".join(part for part in (self.found or "", self.message) if part)
        sentence = f"{what}; {self.hint}" if self.hint else what
        return f"{place}: {sentence}" if place else sentence


class PracticumError(Exception):
    """Something that the person who reads the message can correct."""


class EventError(PracticumError):
    """What was written is not allowed; `problems` has all of it, by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(sorted(unique, key=_order))
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        if left := len(self.problems) - len(lines):
            lines.append(f"… and {left} more problems")
        return "\n".join(lines)


class PlanError(EventError):
    """What was written cannot be planned on this site."""


class RunError(PracticumError):
    """Something failed while an event was built, run or checked; the message says what to do."""


def shown(value: object) -> str:
    """The value as a person would write it in a stack file, on one line and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int) and abs(value) >= 10**SHOWN_LENGTH:
        return f"a number of more than {SHOWN_LENGTH} digits"
    return str(value)


def quoted(text: str) -> str:
    """The text in double quotes, invisible characters escaped, cut after `SHOWN_LENGTH`."""
    cut = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
    visible = (
        character
        if character == " " or unicodedata.category(character)[0] not in "CZ"
        else json.dumps(character)[1:-1]
        for character in json.dumps(cut, ensure_ascii=False)[1:-1]
    )
    return f'"{"".join(visible)}"'


def path_text(path: Path) -> str:
    """The path as `pulumi config set --path` takes it: `event.nodeGroups.head`, `site.hosts[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _is_plain(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def _is_plain(key: str) -> bool:
    """Whether a key needs no brackets in a path."""
    words = key.replace("-", "").replace("_", "").replace(":", "")
    return words.isascii() and words.isalnum() and len(key) <= SHOWN_LENGTH


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant, or None if none is near."""
    folded = {_folded(candidate): candidate for candidate in known}
    matches = difflib.get_close_matches(_folded(name), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def known_names(name: str, known: Iterable[str], *, limit: int = 12) -> str:
    """A hint for an unknown name: the nearest one if there is one, and the known ones."""
    names = list(known)
    if not names:
        return "none is known"
    near = nearest(name, names)
    rest = ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
    return f"did you mean {near}? Known: {rest}" if near else f"known: {rest}"


def _folded(name: str) -> str:
    return "".join(character for character in name[:80].lower() if character not in "-_ ")


def _order(problem: Problem) -> tuple[str, int, str]:
    where = problem.where
    return (where.file if where else "", where.line if where else 0, problem.path)
