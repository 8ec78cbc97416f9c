"""Phrases of messages: numbers, and lists of names that may be long."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float) -> str:
    """A quantity with at most two decimals and no exponent: 2, 12.49, 262144."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def few(names: Sequence[str], *, shown: int = 5) -> str:
    """The first names, and how many more there are."""
    listed = ", ".join(names[:shown])
    return f"{listed} and {len(names) - shown} more" if len(names) > shown else listed


def all_of(words: Sequence[str]) -> str:
    """`cores, memory and disk`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def either(hints: Sequence[str]) -> str:
    """Several things that one may do."""
    return ", or ".join(hints)
