"""Compare release numbers of Pulumi and Go, written in any of their usual ways."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = re.compile(r"(?:go|v)?(\d+)\.(\d+)(?:\.(\d+))?([-a-z].*)?")


class Version(NamedTuple):
    """A release number; a pre-release of a number sorts before the number itself."""

    major: int
    minor: int
    patch: int
    final: bool

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + ("" if self.final else " (pre-release)")


def parse(text: str) -> Version | None:
    """Read `3.259.0`, `v3.200.0-alpha.1`, `go1.26.6` or `go1.27rc1`; None for anything else."""
    found = _NUMBER.fullmatch(text.strip().split("+")[0].split(" ")[0])
    if found is None:
        return None
    major, minor, patch, rest = found.groups()
    return Version(int(major), int(minor), int(patch or 0), rest is None)
