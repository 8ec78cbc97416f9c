"""What the YAML parser says, in words that tell how to put it right."""

from __future__ import annotations

import yaml

_EXPLAINED = (
    ("cannot start any token", False, "holds a character that cannot start a value",
     "quote the value"),
    ("mapping values are not allowed", False, "has a colon where none can be",
     "indent the line like its neighbours, or quote the text with the colon"),
    ("could not find expected ':'", True, "has a word where a key with a colon should be",
     "write key: value, and quote texts that span lines"),
    ("did not find expected key", False, "does not line up with the lines around it",
     "indent it like its neighbours, or quote the value above"),
    ("did not find expected '-' indicator", False, "does not line up with the items of its list",
     "start every item with a hyphen in the same column"),
    ("did not find expected ',' or ']'", True, "opens a list with [ that is not well closed",
     "put a comma between the items and ] at the end"),
    ("did not find expected ',' or '}'", True, "opens a mapping with { that is not well closed",
     "put a comma between the entries and } at the end"),
    ("unexpected end of stream", True, "opens quotes that are not closed", "close them"),
    ("unexpected document indicator", True, "opens quotes that are not closed", "close them"),
    ("escape character", False, "has a backslash with a meaning of its own",
     "use single quotes around a text with backslashes"),
    ("hexdecimal", False, "has a backslash with a meaning of its own",
     "use single quotes around a text with backslashes"),
    ("did not find expected alphabetic", False, "has a * or & without a name behind it",
     "quote a text that starts with * or &"),
    ("block sequence entries are not allowed", False, "has a list item where none can be",
     "start the list on a line of its own"),
    ("did not find expected <document start>", False, "does not belong to what is above",
     "write one mapping, starting with config:"),
    ("block scalar", True, "has a wrong sign behind | or >", "quote a text with | or >"),
)  # fmt: skip
"""What the parser says, whether the place where it began to read the thing is the one to show,
and what to tell."""


def explain(error: yaml.YAMLError, text: str) -> tuple[int, str, str]:
    """Line, message and hint for an error of the parser in the text."""
    said = f"{getattr(error, 'problem', '')} {getattr(error, 'context', '')}"
    line = _line(error, "problem_mark", "context_mark")
    lines = text.split("\n")
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return line, "is indented with a tab", "indent with spaces"
    for part, at_start, message, hint in _EXPLAINED:
        if part in said:
            start = _line(error, "context_mark", "problem_mark")
            return start if at_start else line, message, hint
    reason = getattr(error, "problem", None) or "it cannot be read"
    return line, f"is no YAML: {reason}", "compare this line and the one above with a shipped file"


def _line(error: yaml.YAMLError, *marks: str) -> int:
    """Line of the first of the marks that the error has."""
    found = [mark for name in marks if (mark := getattr(error, name, None)) is not None]
    return int(found[0].line) + 1 if found else 1
