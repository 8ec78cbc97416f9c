"""Problems read as sentences, whatever was found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event.problems import (
    EventError,
    PlanError,
    PracticumError,
    Problem,
    Where,
    known_names,
    nearest,
    path_text,
    quoted,
    shown,
)


def test_a_problem_says_where_what_was_found_what_is_wrong_and_what_to_write() -> None:
    problem = Problem(
        where=Where(file="stacks/Pulumi.sc09.yaml", line=12),
        path="event.nodeGroups.compute.count",
        found="0",
        message="is not allowed",
        hint="write 1 or more",
    )
    assert str(problem) == (
        "stacks/Pulumi.sc09.yaml:12 event.nodeGroups.compute.count: "
        "0 is not allowed; write 1 or more"
    )


def test_a_problem_without_a_place_is_its_sentence() -> None:
    assert str(Problem(message="is no stack", found='"x"')) == '"x" is no stack'


def test_problems_are_told_once_by_file_and_line() -> None:
    first, second = (
        Problem(where=Where(file="a", line=line), message="is wrong") for line in (2, 10)
    )
    error = EventError([second, first, second])
    assert error.problems == (first, second)
    assert str(error) == "a:2: is wrong\na:10: is wrong"


def test_every_error_that_a_person_can_correct_is_in_one_tree() -> None:
    assert issubclass(PlanError, EventError)
    assert issubclass(EventError, PracticumError)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ([], "an empty list"),
        ({"a": 1}, "a mapping"),
        ("a\nb", '"a\\nb"'),
        ("\u202eabc", '"\\u202eabc"'),
        ("\U000e0041", '"\\udb40\\udc41"'),
    ],
)
def test_a_value_is_shown_as_it_would_be_written(value: Any, text: str) -> None:
    assert shown(value) == text


@given(st.text())
def test_any_text_is_shown_on_one_visible_line(text: str) -> None:
    assert quoted(text).isprintable()
    assert len(quoted(text)) <= 800


@given(st.lists(st.text() | st.integers(0, 99), max_size=5))
def test_any_path_is_shown_on_one_visible_line(path: list[str | int]) -> None:
    assert path_text(tuple(path)).isprintable()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("memory_mib", "memoryMib"),
        ("memorymib", "memoryMib"),
        ("nodegroups", "nodeGroups"),
        ("diskGb", "diskGib"),
        ("colour", None),
        ("x" * 10_000, None),
    ],
)
def test_the_nearest_name_is_the_one_that_was_meant(written: str, meant: str | None) -> None:
    assert nearest(written, ["memoryMib", "nodeGroups", "diskGib", "cores"]) == meant


def test_a_hint_for_an_unknown_name_lists_the_known_ones() -> None:
    assert known_names("lba", ["lab", "ncar"]) == "did you mean lab? Known: lab, ncar"
    assert known_names("zzz", ["lab", "ncar"]) == "known: lab, ncar"
    assert known_names("zzz", []) == "none is known"
