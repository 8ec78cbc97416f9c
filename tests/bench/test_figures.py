"""Median, spread and growth of repeated runs."""

from __future__ import annotations

import pytest

from bench.figures import growth_exponent, ratio, spread


def test_the_median_is_the_middle_run_whatever_the_order() -> None:
    assert spread([5.0, 1.0, 3.0]).median == 3.0
    assert spread([4.0, 1.0, 2.0, 3.0]).median == 2.5


def test_the_interquartile_range_ignores_the_outermost_runs() -> None:
    found = spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found.iqr == 2.0
    assert (found.low, found.high, found.runs) == (1.0, 100.0, 5)


def test_a_single_run_has_no_spread() -> None:
    found = spread([7.0])
    assert (found.median, found.iqr, found.runs) == (7.0, 0.0, 1)


def test_no_run_is_no_figure() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        spread([])


@pytest.mark.parametrize("power", [0.5, 1.0, 1.1, 2.0])
def test_the_growth_exponent_is_the_power_of_the_size(power: float) -> None:
    times = {size: 0.003 * size**power for size in (26, 60, 125, 250)}
    assert growth_exponent(times) == pytest.approx(power)


def test_growth_needs_at_least_two_sizes() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        growth_exponent({26: 1.0})


def test_a_ratio_compares_medians() -> None:
    assert ratio(spread([2.0, 3.0, 9.0]), spread([1.0, 2.0, 2.0])) == 1.5
