"""Unquoted words of YAML: what they are, where all readers agree, and what to write where not.

YAML 1.1 and 1.2 and the engine's reader differ about `no`, `010`, `12:30:00`, dates and more. This
module takes what all of them take in the same way and raises `TrapError` for the rest, so that no
file means one thing to practicum and another one to Pulumi.
"""

from __future__ import annotations

import re

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
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]*|\.[0-9]+")
_BARE_POINT = re.compile(r"[-+]\.[0-9]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_SPACED = re.compile(r"[-+]?[.0-9][0-9_.]*_[0-9_.]*")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_BASE_N = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+")
_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")

Value = str | int | float | bool | None


class TrapError(Exception):
    """An unquoted word that readers of YAML take differently.

    `message` says what it may be; `value` is how to write the number or truth value that may have
    been meant, None if there is none.
    """

    def __init__(self, word: str, message: str, value: str | None = None) -> None:
        super().__init__(message)
        self.word = word
        self.message = message
        self.value = value


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
            message = f"without quotes is {value} to some readers of YAML and a word to others"
            raise TrapError(word, message, value)
    return word


def _number(word: str) -> Value:
    if len(word) > 64 and not word.lstrip("+-").isdigit():
        return word
    if _INTEGER.fullmatch(word) and len(word) <= MAX_DIGITS:
        return int(word)
    if _DECIMAL.fullmatch(word):
        return float(word)
    for pattern, trap in _TRAPS:
        if pattern.fullmatch(word):
            raise trap(word)
    return word


def _too_long(word: str) -> TrapError:
    return TrapError(word, f"has {len(word)} digits")


def _leading_zero(word: str) -> TrapError:
    digits = word.replace("_", "").lstrip("+-")
    decimal = str(int(digits))
    octal = str(int(digits, 8)) if set(digits) <= set("01234567") else "a word"
    if octal == decimal:
        return TrapError(word, f"without quotes is the number {decimal}", decimal)
    message = f"without quotes is {octal} to some readers of YAML and {decimal} to others"
    return TrapError(word, message, decimal)


def _bare_point(word: str) -> TrapError:
    return TrapError(word, _NUMBER_OR_WORD, word.replace(".", "0."))


def _spaced(word: str) -> TrapError:
    return TrapError(word, _NUMBER_OR_WORD, word.replace("_", ""))


def _base_60(word: str) -> TrapError:
    total = 0
    for part in word.replace("_", "").partition(".")[0].lstrip("+-").split(":"):
        total = total * 60 + int(part)
    return TrapError(word, f"without quotes is {total} to some readers of YAML (base 60)")


def _base_n(word: str) -> TrapError:
    digits = word.replace("_", "").lower()
    try:
        return TrapError(word, _NUMBER_OR_WORD, str(int(digits, 0)))
    except ValueError:
        return TrapError(word, _NUMBER_OR_WORD)


def _exponent(word: str) -> TrapError:
    number = float(word)
    whole = abs(number) < 1e15 and number == int(number)
    return TrapError(word, _NUMBER_OR_WORD, str(int(number)) if whole else None)


def _no_number(word: str) -> TrapError:
    return TrapError(word, "is not a quantity")


def _date(word: str) -> TrapError:
    return TrapError(word, "without quotes is a date to some readers of YAML and a word to others")


_NUMBER_OR_WORD = "without quotes is a number to some readers of YAML and a word to others"

_TRAPS = (
    (_INTEGER, _too_long),
    (_BARE_POINT, _bare_point),
    (_LEADING_ZERO, _leading_zero),
    (_SPACED, _spaced),
    (_BASE_60, _base_60),
    (_BASE_N, _base_n),
    (_EXPONENT, _exponent),
    (_NO_NUMBER, _no_number),
    (_DATE, _date),
)
