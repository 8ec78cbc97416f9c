"""Calendar events: when jobs run."""

from __future__ import annotations

import datetime

import pytest

from lab.calendar_event import parse_calendar_event

NOW = datetime.datetime(2026, 11, 25, 15, 40)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("sun 01:00", "2026-11-29 01:00"),
        ("daily", "2026-11-26 00:00"),
        ("mon..fri", "2026-11-26 00:00"),
        ("wed 15:41", "2026-11-25 15:41"),
        ("wed 15:40", "2026-12-02 15:40"),
        ("*/15", "2026-11-25 15:45"),
        ("8..17:00", "2026-11-25 16:00"),
        ("sat,sun 22:30", "2026-11-28 22:30"),
        ("monthly", "2026-12-01 00:00"),
        ("*-02-29 12:00", "2028-02-29 12:00"),
        ("2027-01-01", "2027-01-01 00:00"),
        ("hourly", "2026-11-25 16:00"),
        ("Mon 5,15:20", "2026-11-30 05:20"),
    ],
)
def test_an_event_is_next_when_it_should_be(text: str, following: str) -> None:
    found = parse_calendar_event(text).next_after(NOW)
    assert found == datetime.datetime.fromisoformat(following)


def test_an_event_that_never_comes_has_no_next_time() -> None:
    assert parse_calendar_event("2020-01-01").next_after(NOW) is None
    assert parse_calendar_event("*-02-30").next_after(NOW) is None


@pytest.mark.parametrize(
    "text", ["", "junk", "mon..", "fri..mon", "25:00", "1:2:3:4", "*/0", "sun x", "45:20"]
)
def test_text_that_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unable to parse|out of range"):
        parse_calendar_event(text)
