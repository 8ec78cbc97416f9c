"""Calendar events such as `sun 01:00`, `mon..fri` or `*/15`: what they mean and when they are next.

The syntax is systemd's (systemd.time(7), without time zones), with Proxmox VE's addition that a
single number or list without a colon means minutes of every hour.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.formats import named_format

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FULL = {
    name[:3]: name
    for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}
NAMED = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
HORIZON_DAYS = 366 * 8
_TERM = re.compile(r"(?:(\*)|(\d+)(?:\.\.(\d+))?)(?:/(\d+))?", re.ASCII)
_WEEKDAYS = re.compile(r"[a-z]+(?:(?:\.\.|-)[a-z]+)?(?:,[a-z]+(?:(?:\.\.|-)[a-z]+)?)*")
_DATE = re.compile(r"(?:([^-\s:]+)-)?([^-\s:]+)-([^-\s:]+)")

Match = Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """Sets of values; years are a predicate because they have no end."""

    weekdays: frozenset[int]
    year: Match
    months: frozenset[int]
    days: frozenset[int]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def next_after(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The first time after a moment (local time), or None within eight years."""
        day = moment.date()
        for _ in range(HORIZON_DAYS):
            if self._fits(day):
                for time in self._times():
                    found = datetime.datetime.combine(day, time)
                    if found > moment:
                        return found
            day += datetime.timedelta(days=1)
        return None

    def _fits(self, day: datetime.date) -> bool:
        return (
            day.weekday() in self.weekdays
            and day.day in self.days
            and day.month in self.months
            and self.year(day.year)
        )

    def _times(self) -> Iterable[datetime.time]:
        return (
            datetime.time(hour, minute, second)
            for hour in self.hours
            for minute in self.minutes
            for second in self.seconds
        )


def parse_calendar_event(text: str) -> CalendarEvent:
    """The event of a text; ValueError when it is none."""
    parts = NAMED.get(text.strip().lower(), text.strip().lower()).split()
    if not parts:
        raise ValueError("unable to parse calendar event - event is empty")
    weekdays: frozenset[int] = frozenset(range(7))
    if parts[0][0].isalpha():
        weekdays = _weekdays(parts.pop(0), text)
    year, months, days = _date(parts)
    hours, minutes, seconds = _time(parts.pop(0) if parts else "00:00")
    if parts:
        raise ValueError(f"unable to parse calendar event - unused parts '{' '.join(parts)}'")
    return CalendarEvent(
        weekdays=weekdays,
        year=year,
        months=months,
        days=days,
        hours=hours,
        minutes=minutes,
        seconds=seconds,
    )


def _weekdays(part: str, text: str) -> frozenset[int]:
    wrong = ValueError(f"unable to parse calendar event at '{text}' - Context(\"weekday\")")
    if not _WEEKDAYS.fullmatch(part):
        raise wrong
    found: set[int] = set()
    for member in part.split(","):
        names = [name for name in re.split(r"\.\.|-", member) if name]
        numbers = [_weekday(name) for name in names]
        if -1 in numbers:
            raise wrong
        first, last = numbers[0], numbers[-1]
        if first > last:
            raise wrong
        found |= set(range(first, last + 1))
    return frozenset(found)


def _weekday(name: str) -> int:
    short = name[:3]
    known = short in DAYS and name in (short, FULL[short])
    return DAYS.index(short) if known else -1


def _date(parts: list[str]) -> tuple[Match, frozenset[int], frozenset[int]]:
    found = _DATE.fullmatch(parts[0]) if parts else None
    if found is None:
        return _every_year, frozenset(range(1, 13)), frozenset(range(1, 32))
    parts.pop(0)
    years, months, days = found.groups()
    return (
        _years(years or "*"),
        frozenset(_members(months, 1, 12)),
        frozenset(_members(days, 1, 31)),
    )


def _every_year(_year: int) -> bool:
    return True


def _years(text: str) -> Match:
    if text == "*":
        return _every_year
    wanted = frozenset(_members(text, 1970, 2200))
    return lambda year: year in wanted


def _time(part: str) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    fields = part.split(":")
    if len(fields) > 3:
        raise ValueError(f"unable to parse calendar event at '{part}' - Context(\"time spec\")")
    if len(fields) == 1:
        fields.insert(0, "*")
    if len(fields) == 2:
        fields.append("0")
    hours, minutes, seconds = fields
    return _members(hours, 0, 23), _members(minutes, 0, 59), _members(seconds, 0, 59)


def _members(text: str, lowest: int, highest: int) -> tuple[int, ...]:
    found: set[int] = set()
    for term in text.split(","):
        fits = _TERM.fullmatch(term)
        if fits is None:
            raise ValueError(f"unable to parse calendar event at '{text}' - Context(\"value\")")
        star, first, last, step = fits.groups()
        start = lowest if star else int(first)
        end = highest if star or (step and last is None) else int(last or first)
        if not lowest <= start <= end <= highest or step == "0":
            raise ValueError(f"value '{term}' out of range ({lowest}..{highest})")
        found |= set(range(start, end + 1, int(step or 1)))
    return tuple(sorted(found))


@named_format("pve-calendar-event")
def _calendar_event(text: str) -> None:
    try:
        parse_calendar_event(text)
    except ValueError as error:
        # The text of the fault ends with a line of its own.
        raise ValueError(f"invalid calendar event '{text}' - {error}\n") from error
