"""The text of a stack file, if it is one: a file of at most 5 MB in UTF-8 without odd controls."""

from __future__ import annotations

import re
from pathlib import Path

from event.problems import EventError, Problem, Where

MAX_BYTES = 5_000_000
"""Size of a stack file; that of 2000 clusters, each with overrides, is below 1 MB."""

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
"""What YAML forbids, and the line breaks that its versions count differently."""


def file_text(path: Path, file: str) -> str:
    """The text. `file` is how problems name it. Raises EventError."""
    if not path.is_file():
        raise _error(file, 1, "is not a file", "give the path of a stack file")
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror or 'no reason is known'}"
        raise _error(file, 1, message, "check the rights of the file") from None
    if len(content) > MAX_BYTES:
        raise _error(file, 1, "is larger than 5 MB", "give the path of a stack file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(file, line, "is not UTF-8", "save the file as UTF-8") from None
    if control := _CONTROLS.search(text):
        line = text.count("\n", 0, control.start()) + 1
        message = f"holds the control character U+{ord(control[0]):04X}"
        raise _error(file, line, message, "delete it") from None
    return text


def _error(file: str, line: int, message: str, hint: str) -> EventError:
    where = Where(file=file, line=line)
    return EventError([Problem(where=where, message=message, hint=hint)])
