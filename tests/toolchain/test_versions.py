"""Release numbers compare as people mean them."""

from __future__ import annotations

import pytest

from toolchain import pins, versions


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3.259.0", (3, 259, 0, True)),
        ("v3.259.0\n", (3, 259, 0, True)),
        ("v3.200.0-alpha.1718", (3, 200, 0, False)),
        ("3.260.0+dirty", (3, 260, 0, True)),
        ("go1.26.8", (1, 26, 8, True)),
        ("go1.27", (1, 27, 0, True)),
        ("go1.27rc1", (1, 27, 0, False)),
        ("go1.26.8 X:nocoverageredesign", (1, 26, 8, True)),
    ],
)
def test_a_number_is_read_in_every_usual_writing(text: str, number: tuple[object, ...]) -> None:
    assert versions.parse(text) == number


@pytest.mark.parametrize("text", ["", "devel", "error: no such command", "3", "v", "three.two"])
def test_anything_else_is_no_number(text: str) -> None:
    assert versions.parse(text) is None


def test_numbers_sort_by_value_and_a_pre_release_comes_first() -> None:
    order = ["3.9.0", "3.199.9", "3.200.0-beta.2", "3.200.0", "3.1000.0", "4.0.0"]
    numbers = [number for text in reversed(order) if (number := versions.parse(text))]
    assert sorted(numbers) == [versions.parse(text) for text in order]


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("3.214.0", False), ("3.215.0", True), ("3.272.1", True), ("4.0.0-rc.1", False)],
)
def test_the_accepted_engines_lie_between_the_two_bounds(text: str, accepted: bool) -> None:
    number = versions.parse(text)
    assert number is not None
    assert (pins.OLDEST_ENGINE <= number < pins.FIRST_UNKNOWN_ENGINE) is accepted
