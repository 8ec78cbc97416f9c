"""Calendar events, as Proxmox VE writes when a job runs: `sun 01:00`, `mon..fri 22:30`, `daily`.

The grammar is that of the manual, chapter "Schedule Format": weekdays, date, time, each optional.
"""

from __future__ import annotations

import re

from event.rule import RefusedError, Rule

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_DAYS = rf"{_DAY}(\.\.{_DAY})?(,{_DAY}(\.\.{_DAY})?)*"
_ITEM = r"(\*(/[0-9]{1,2})?|[0-9]{1,4}(\.\.[0-9]{1,4})?(/[0-9]{1,2})?)"
_ITEMS = rf"{_ITEM}(,{_ITEM})*"
_DATE = rf"({_ITEMS}-)?{_ITEMS}-{_ITEMS}"
_TIME = rf"{_ITEMS}(:{_ITEMS})*"
_WORDS = "minutely|hourly|daily|weekly|monthly|yearly|annually|quarterly|semiannually|semi-annually"
_SCHEDULE = re.compile(
    rf"{_WORDS}|{_DAYS}( {_DATE})?( {_TIME})?|{_DATE}( {_TIME})?|{_TIME}", re.ASCII
)
_CLOCK = re.compile(r"(?:^| )([0-9]{1,2}):([0-9]{1,2})$")


def parse_schedule(text: str) -> str:
    """The text, if it is a calendar event of Proxmox VE."""
    if len(text) > 128:
        raise RefusedError(f"has {len(text)} characters", "write at most 128")
    if not _SCHEDULE.fullmatch(text):
        lower = text.lower()
        hint = f"write {lower}" if _SCHEDULE.fullmatch(lower) else ""
        raise RefusedError("is no calendar event of Proxmox VE", hint)
    clock = _CLOCK.search(text)
    if clock and not (int(clock[1]) <= 23 and int(clock[2]) <= 59):
        raise RefusedError(f"has no time of a day: {clock[1]}:{clock[2]}")
    return text


SCHEDULE = Rule(
    allowed="when to run, e.g. sun 01:00 or mon..fri 22:30",
    parse=parse_schedule,
    example="sun 01:00",
    max_length=128,
)
