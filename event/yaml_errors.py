"""What the YAML parser says, in words that tell how to put it right."""

from __future__ import annotations

import yaml

_EXPLAINED = (
    ("cannot start any token", "holds a character that cannot start a value", "quote the value"),
    ("mapping values are not allowed", "has a colon where none can be",
     "indent the line like its neighbours, or quote the text with the colon"),
    ("could not find expected ':'", "has a word where a key with a colon should be",
     "write key: value, and quote texts that span lines"),
    ("did not find expected key", "does not line up with the lines around it",
     "indent it like its neighbours, or quote the value above"),
    ("did not find expected '-' indicator", "does not line up with the items of its list",
     "start every item with a hyphen in the same column"),
    ("did not find expected ',' or ']'", "has a list in brackets that is not closed",
     "put a comma between the items and ] at the end"),
    ("did not find expected ',' or '}'", "has braces that are not closed",
     "put a comma between the entries and } at the end"),
    ("found undefined alias", "uses an alias that nothing above defines",
     "write the value itself, or quote a text that starts with *"),
    ("unexpected end of stream", "has quotes that are not closed", "close them"),
    ("found unknown escape character", "has a backslash with a meaning of its own",
     "use single quotes around a text with backslashes"),
    ("did not find expected alphabetic", "has a * or & without a name behind it",
     "quote a text that starts with * or &"),
    ("block sequence entries are not allowed", "has a list item where none can be",
     "start the list on a line of its own"),
    ("did not find expected <document start>", "does not belong to the mapping above",
     "write one mapping, starting with config:"),
    ("while scanning a block scalar", "has a wrong sign after | or >", "quote a text with | or >"),
    ("found character '%'", "starts with a percent sign", "quote the value"),
)  # fmt: skip


def explain(error: yaml.YAMLError, text: str) -> tuple[int, str, str]:
    """Line, message and hint for an error of the parser in the text."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = (mark.line if mark else 0) + 1
    said = f"{getattr(error, 'problem', '')} {getattr(error, 'context', '')}"
    if "cannot start any token" in said or "tab" in said:
        lines = text.splitlines()
        written = lines[line - 1] if line <= len(lines) else ""
        if "\t" in written[: len(written) - len(written.lstrip())] or "tab" in said:
            return line, "is indented with a tab", "indent with spaces"
    for part, message, hint in _EXPLAINED:
        if part in said:
            return line, message, hint
    return (
        line,
        f"is no YAML ({(getattr(error, 'problem', None) or 'not readable')})",
        ("see the line and the one above it"),
    )
