"""Unquoted words of YAML: what they are, where all readers agree, and what to write where not.

YAML 1.1 and 1.2 and the engine's reader differ about `no`, `010`, `12:30:00`, dates and more. This
module takes what all of them take in the same way and raises `TrapError` for the rest, so that no
file means one thing to practicum and another one to Pulumi.
"""

from __future__ import annotations

import re

from event.problems import quoted

MAX_DIGITS = 18
"""Digits of a number; more than any quantity in a stack file has."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEAN = {
    word: value
    for value, words in ((True, "true True TRUE"), (False, "false False FALSE"))
    for word in words.split()
}
NO_WORDS = _NULL | _BOOLEAN.keys()
"""Unquoted words that are not text."""

_TRUE_IN_1_1 = frozenset(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE_IN_1_1 = frozenset(["n", "N", "no", "No", "NO", "off", "Off", "OFF"])
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_SPACED = re.compile(r"[-+]?[0-9][0-9_.]*_[0-9_.]*")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_BASE_N = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+")
_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")

Value = str | int | float | bool | None


class TrapError(Exception):
    """An unquoted word that readers of YAML take differently: what it may be, what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve(word: str) -> Value:
    """The value of an unquoted word; `TrapError` if readers differ about it."""
    if word in _NULL:
        return None
    if word in _BOOLEAN:
        return _BOOLEAN[word]
    if word[0] not in "+-.0123456789":
        return _text(word)
    return _number(word)


def _text(word: str) -> str:
    for words, value in ((_TRUE_IN_1_1, "true"), (_FALSE_IN_1_1, "false")):
        if word in words:
            raise TrapError(
                f"without quotes is {value} to some readers of YAML and a word to others",
                f'write {value} or "{word}"',
            )
    return word


def _number(word: str) -> Value:
    if len(word) > 64:
        return word if not word.lstrip("+-").isdigit() else _too_long(word)
    if _INTEGER.fullmatch(word):
        return int(word) if len(word) <= MAX_DIGITS else _too_long(word)
    if _DECIMAL.fullmatch(word):
        return float(word)
    for pattern, explain in _TRAPS:
        if pattern.fullmatch(word):
            raise explain(word)
    return word


def _too_long(word: str) -> Value:
    raise TrapError(f"has {len(word)} digits", f"write a number of at most {MAX_DIGITS} digits")


def _leading_zero(word: str) -> TrapError:
    digits = word.replace("_", "").lstrip("+-")
    decimal = str(int(digits))
    octal = str(int(digits, 8)) if set(digits) <= set("01234567") else "a word"
    return TrapError(
        f"without quotes is {octal} to some readers of YAML and {decimal} to others",
        f'write {decimal} or "{word}"',
    )


def _spaced(word: str) -> TrapError:
    plain = word.replace("_", "")
    return TrapError(
        "without quotes is a number to some readers of YAML and a word to others",
        f'write {plain} or "{word}"',
    )


def _base_60(word: str) -> TrapError:
    total = 0
    for part in word.replace("_", "").partition(".")[0].lstrip("+-").split(":"):
        total = total * 60 + int(part)
    return TrapError(
        f"without quotes is the number {total} (base 60) to some readers of YAML",
        f'write it in quotes: "{word}"',
    )


def _base_n(word: str) -> TrapError:
    return TrapError(
        "without quotes is a number to some readers of YAML and a word to others",
        f'write the number in decimal, or "{word}"',
    )


def _exponent(word: str) -> TrapError:
    return TrapError(
        "without quotes is a number to some readers of YAML and a word to others",
        f'write all digits of the number, or "{word}"',
    )


def _no_number(word: str) -> TrapError:
    return TrapError("is not a quantity", f'write a number, or "{word}"')


def _date(word: str) -> TrapError:
    return TrapError(
        "without quotes is a date to some readers of YAML and a word to others",
        f"write it in quotes: {quoted(word)}",
    )


_TRAPS = (
    (_LEADING_ZERO, _leading_zero),
    (_SPACED, _spaced),
    (_BASE_60, _base_60),
    (_BASE_N, _base_n),
    (_EXPONENT, _exponent),
    (_NO_NUMBER, _no_number),
    (_DATE, _date),
)
