"""One fault that was asked for: what it is about, when it strikes, and how often it has."""

from __future__ import annotations

import fnmatch
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.faults.kinds import KINDS, Scope, settings_of

LONGEST_S = 86_400.0
_RANGE = re.compile(r"(\d+)(-(\d*))?")
_VARIABLE = re.compile(r"\{[^/{}]*\}")
METHODS = ("GET", "POST", "PUT", "DELETE", "*")


class FaultError(Exception):
    """A fault that cannot be: which setting, what was found, what is allowed."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in the book; `settings` are as they were given, checked.

    `seen` counts what it could have struck, `fired` what it did; a rule is over when it has struck
    `count` times or after its `seconds`.
    """

    number: int
    kind: str
    settings: dict[str, Any]
    seen: int = 0
    fired: int = 0
    ended: bool = False
    started: float = field(default_factory=time.monotonic)
    _chance: random.Random = field(init=False)
    _path: re.Pattern[str] = field(init=False)
    _ranges: tuple[tuple[int, int | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.settings.get("seed", 0))  # noqa: S311 - not a secret
        self._path = path_pattern(self.settings.get("path", "**"))
        self._ranges = index_ranges(self.settings.get("index", ""))

    @property
    def scope(self) -> Scope:
        """What the fault is about."""
        return KINDS[self.kind].scope

    def get(self, name: str, default: Any = None) -> Any:
        """A setting."""
        return self.settings.get(name, default)

    @property
    def active(self) -> bool:
        """Whether it may still strike."""
        seconds, count = self.get("seconds"), self.get("count")
        spent = count is not None and self.fired >= count
        late = seconds is not None and time.monotonic() - self.started >= seconds
        return not (self.ended or spent or late)

    @property
    def active_until_cleared(self) -> bool:
        """Whether nobody has ended it, however often it struck."""
        seconds = self.get("seconds")
        return not self.ended and (seconds is None or time.monotonic() - self.started < seconds)

    def fits_request(self, method: str, path: str, host: str | None) -> bool:
        """Whether a request is of the kind that it is about."""
        return (
            self.get("method", "*") in ("*", method)
            and self._path.fullmatch(path) is not None
            and self.get("host", host) == host
        )

    def fits_task(self, kind: str, about: str, host: str) -> bool:
        """Whether a task is of the kind that it is about."""
        return (
            fnmatch.fnmatchcase(kind, self.get("task", "*"))
            and fnmatch.fnmatchcase(about, str(self.get("about", "*")))
            and self.get("host", host) == host
        )

    def strikes(self) -> bool:
        """Count one that fits, and tell whether this one is struck."""
        if not self.active:
            return False
        self.seen += 1
        if self._ranges and not any(
            first <= self.seen and (last is None or self.seen <= last)
            for first, last in self._ranges
        ):
            return False
        if self._chance.random() >= self.get("chance", 1.0):
            return False
        self.fired += 1
        return True

    def as_record(self) -> dict[str, Any]:
        """For lists: settings, `seen`, `fired`, and whether it is `over`."""
        return {
            "number": self.number,
            "kind": self.kind,
            **self.settings,
            "seen": self.seen,
            "fired": self.fired,
            "over": not self.active,
        }


def path_pattern(text: str) -> re.Pattern[str]:
    """`*` and `{name}` stand for one segment or a part of it, `**` for any number of segments."""
    parts = []
    for segment in filter(None, _VARIABLE.sub("*", text).split("/")):
        if segment == "**":
            parts.append("(/[^/]+)*")
            continue
        pieces = (re.escape(piece) for piece in segment.split("*"))
        parts.append("/" + "[^/]*".join(pieces))
    return re.compile("".join(parts) or "/?")


def index_ranges(text: str) -> tuple[tuple[int, int | None], ...]:
    """`3`, `2-5`, `7-` and lists of them with commas: which of those that fit, from one."""
    found = []
    for part in filter(None, str(text).replace(" ", "").split(",")):
        match = _RANGE.fullmatch(part)
        if match is None or int(match[1]) < 1:
            raise FaultError(f"index: {text!r} is not allowed; write 3, 2-5, 7- or 1,4,9-12")
        last = int(match[3]) if match[3] else (None if match[2] else int(match[1]))
        found.append((int(match[1]), last))
    return tuple(found)


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return value

    return check


def _number(most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"write a number from 0 to {most:g}")
        return float(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("write a text")
    return value


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


def _method(value: Any) -> str:
    if value not in METHODS:
        raise ValueError(f"write one of {', '.join(METHODS)}")
    return str(value)


def _index(value: Any) -> str:
    index_ranges(str(value))
    return str(value)


def _field(value: Any) -> str:
    if not isinstance(value, str) or not value.partition("=")[0] or "=" not in value:
        raise ValueError("write NAME=VALUE")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "method": _method, "path": _text, "host": _text, "task": _text, "about": _text,
    "index": _index, "chance": _number(1), "seed": _whole(0, 2**63), "count": _whole(1, 10**9),
    "seconds": _number(LONGEST_S), "delay": _number(LONGEST_S), "status": _whole(400, 599),
    "text": _text, "after": _yes, "crash": _yes, "field": _field, "file": _text,
    "vmid": _whole(100, 999_999_999), "storage": _text,
}  # fmt: skip


def make_rule(number: int, asked: dict[str, Any]) -> Rule:
    """A rule from what somebody asked for; `FaultError` names what cannot be."""
    settings = {name: value for name, value in asked.items() if value is not None}
    kind = settings.pop("kind", None)
    if kind not in KINDS:
        raise FaultError(f"{kind!r} is no kind of fault; write one of {', '.join(KINDS)}")
    allowed = settings_of(KINDS[kind])
    for name, value in settings.items():
        if name not in allowed:
            raise FaultError(
                f"{name}: a fault of kind {kind} does not take it; it takes "
                f"{', '.join(sorted(allowed))}"
            )
        try:
            settings[name] = _CHECKS[name](value)
        except ValueError as error:
            raise FaultError(f"{name}: {value!r} is not allowed; {error}") from None
    missing = sorted(KINDS[kind].needed - settings.keys())
    if missing:
        raise FaultError(f"{missing[0]}: a fault of kind {kind} needs it")
    if kind == "lock-held" and len(settings.keys() & {"vmid", "storage", "file"}) != 1:
        raise FaultError("a fault of kind lock-held needs one of vmid, storage, file")
    return Rule(number=number, kind=kind, settings=settings)
