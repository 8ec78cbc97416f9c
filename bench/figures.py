"""Figures from repeated runs: median, spread, growth over sizes.

A single run is never a figure: other work on the machine moves it by tens of percent.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Repeated runs of one arm, in the unit of the result; `iqr` is the third quartile less the
    first."""

    median: float
    iqr: float
    low: float
    high: float
    runs: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one run; quartiles are interpolated between runs (inclusive)."""
    if not values:
        raise ValueError("a figure needs at least one run")
    first, middle, third = (
        statistics.quantiles(values, n=4, method="inclusive")
        if len(values) > 1
        else (values[0],) * 3
    )
    return Spread(
        median=middle, iqr=third - first, low=min(values), high=max(values), runs=len(values)
    )


def growth_exponent(times: Mapping[int, float]) -> float:
    """The k of `time = a · size^k`, by least squares on logarithms over at least two sizes."""
    if len(times) < 2:
        raise ValueError("growth needs at least two sizes")
    return statistics.linear_regression(
        [math.log(size) for size in times], [math.log(time) for time in times.values()]
    ).slope


def ratio(figure: Spread, other: Spread) -> float:
    """How many times `other` the figure is, by medians."""
    return figure.median / other.median
