"""Characters that are told by name, because they cannot be seen or look like others."""

from __future__ import annotations

import unicodedata


def named_character(character: str) -> str:
    """The character in quotes, and with its name where it is not plain to see which it is.

    A space is "a space", a Cyrillic е is "е" (U+0435, CYRILLIC SMALL LETTER IE).
    """
    if character == " ":
        return "a space"
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    if not character.isprintable():
        return f"the invisible character {code}" + (f" ({name})" if name else "")
    if character.isascii():
        return "a double quote" if character == '"' else f'"{character}"'
    return f'"{character}" ({code}, {name})' if name else f'"{character}" ({code})'
