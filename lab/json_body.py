"""JSON bodies of requests, with the words of Proxmox VE's parser for what it does not take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from lab.errors import ApiError, Body

WHERE = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 1.\n"
_BLANK = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_DIGIT = re.compile(r"[0-9]")
_DIGITS = re.compile(r"[0-9]*")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_HIGH = re.compile(r"\\u[dD][89abAB]..$")
_LOW = re.compile(r"\\u[dD][c-fC-F]..")
_WORDS = {"t": "true", "f": "false", "n": "null"}
_CONTROLS = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\\": "\\\\"}
_SHOWN = 20  # characters of the rest that a refusal quotes


def parse_json(text: str) -> dict[str, Any]:
    """The parameters of a JSON body: an object, or `null` for none. Numbers become the text that
    Perl makes of them; truth values stay, since they are told apart from texts."""
    try:
        found = json.loads(text, parse_int=str, parse_float=_number, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError:
        what, place = _Reader(text).fault()
        rest = _rest(text, place)
        raise _front(f'{what}, at character offset {place} (before "{rest}") ') from None
    if found is None:
        return {}
    if isinstance(found, str):
        raise _front(f'Can\'t use string ("{found}") as a HASH ref while "strict refs" in use ')
    if not isinstance(found, dict):
        raise _front("Not a HASH reference ")
    return found


def _front(text: str) -> ApiError:
    return ApiError(500, text + WHERE, body=Body.TEXT)


def _number(text: str) -> str:
    return f"{float(text):.15g}"


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _rest(text: str, place: int) -> str:
    """What stands from a place on, as far as it is quoted."""
    shown = ""
    for letter in text[place:]:
        if len(shown) >= _SHOWN:
            return f"{shown}..."
        plain = letter.isascii() and letter.isprintable() and letter != "\\"
        shown += letter if plain else _CONTROLS.get(letter, f"\\x{{{ord(letter):x}}}")
    return shown or "(end of string)"


class _FaultError(Exception):
    pass


class _Reader:
    """Finds the first fault of a text that is no JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def fault(self) -> tuple[str, int]:
        """What is wrong, and at which character."""
        try:
            self._value()
            self._skip(_BLANK)
            if self._at < len(self._text):
                self._fail("garbage after JSON object")
        except _FaultError as found:
            return str(found), self._at
        return "malformed JSON string", self._at

    def _fail(self, what: str) -> NoReturn:
        raise _FaultError(what)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Go over what fits; how many characters that were."""
        found = pattern.match(self._text, self._at)
        length = len(found[0]) if found else 0
        self._at += length
        return length

    def _sees(self, letter: str) -> bool:
        return self._text.startswith(letter, self._at)

    def _expect(self, letter: str) -> None:
        if not self._sees(letter):
            self._fail(f"'{letter}' expected")
        self._at += len(letter)

    def _value(self) -> None:
        self._skip(_BLANK)
        letter = self._text[self._at : self._at + 1]
        if letter == '"':
            self._string()
        elif letter == "{":
            self._members("}", ", or } expected while parsing object/hash", self._pair)
        elif letter == "[":
            self._members("]", ", or ] expected while parsing array", self._value)
        elif letter in _WORDS:
            self._expect(_WORDS[letter])
        elif letter and letter in "-0123456789":
            self._number()
        else:
            self._fail("malformed JSON string, neither tag, array, object, number, string or atom")

    def _members(self, end: str, wanted: str, member: Callable[[], None]) -> None:
        self._at += 1
        self._skip(_BLANK)
        if self._sees(end):
            self._at += 1
            return
        while True:
            member()
            self._skip(_BLANK)
            if self._sees(end):
                self._at += 1
                return
            if not self._sees(","):
                self._fail(wanted)
            self._at += 1

    def _pair(self) -> None:
        self._skip(_BLANK)
        self._string()
        self._skip(_BLANK)
        self._expect(":")
        self._value()

    def _string(self) -> None:
        self._expect('"')
        while True:
            self._skip(_PLAIN)
            if self._sees('"'):
                self._at += 1
                return
            if self._at == len(self._text):
                self._fail("unexpected end of string while parsing JSON string")
            if not self._sees("\\"):
                self._fail("invalid character encountered while parsing JSON string")
            self._escape()

    def _escape(self) -> None:
        begun = self._at
        if not self._skip(_ESCAPE):
            if self._sees("\\u"):
                self._at += 2
                self._fail("exactly four hexadecimal digits expected")
            self._fail("illegal backslash escape sequence in string")
        letter = self._text[begun : self._at]
        if _LOW.match(letter):
            self._fail("missing high surrogate character in surrogate pair")
        if not _HIGH.match(letter):
            return
        if not self._sees("\\u"):
            self._fail("missing low surrogate character in surrogate pair")
        second = self._at
        if self._skip(_ESCAPE) and not _LOW.match(self._text, second):
            self._fail("surrogate pair expected")

    def _number(self) -> None:
        self._at += self._sees("-")
        if self._sees("0"):
            self._at += 1
            if _DIGIT.match(self._text, self._at):
                self._fail("malformed number (leading zero must not be followed by another digit)")
        else:
            self._digits("initial minus")
        if self._sees("."):
            self._at += 1
            self._digits("decimal point")
        if self._sees("e") or self._sees("E"):
            self._at += 1
            self._at += self._sees("-") or self._sees("+")
            self._digits("exp sign")

    def _digits(self, behind: str) -> None:
        if not self._skip(_DIGITS):
            self._fail(f"malformed number (no digits after {behind})")
