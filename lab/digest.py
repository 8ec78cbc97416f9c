"""Digests: the caller says which state it saw, and a newer one refuses the change."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from lab.errors import failure

CHANGED = "detected modified configuration - file changed by other user? Try again."


def digest_of(content: Any) -> str:
    """Forty hex digits that stand for a content made of JSON values."""
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def told(given: str | None) -> bool:
    """Whether a caller has said which state it saw; Perl takes "0" for nothing."""
    return given not in (None, "", "0")


def check_digest(given: str | None, content: Any, prefix: str = "") -> None:
    """500 when a digest is given and is not that of the content."""
    if told(given) and given != digest_of(content):
        raise failure(prefix + CHANGED)
