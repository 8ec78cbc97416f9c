"""Every single request of a run is struck: what a sweep goes through beside the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.engine.striking import Fault, either

KINDS_OF_ANSWERS = (
    {"kind": "drop", "after": True},
    {"kind": "status", "status": 500, "text": "internal error"},
    {"kind": "reset"},
    {"kind": "status", "status": 596, "text": "Connection timed out", "after": True},
    {"kind": "half"},
    {"kind": "status", "status": 595, "text": "No route to host"},
)

REQUESTS = {"up": 110, "refresh": 60, "destroy": 80}
"""About as many requests as an unbroken run of the small event sends; those behind strike none."""


def each_request() -> list[tuple[Fault, str]]:
    """Every single request of a run is struck, by one kind of answer after the other."""
    return [
        (_at(number, verb, KINDS_OF_ANSWERS[number % len(KINDS_OF_ANSWERS)]), verb)
        for verb, count in REQUESTS.items()
        for number in range(1, count + 1)
    ]


def _at(number: int, verb: str, kind: Mapping[str, Any]) -> Fault:
    words = " ".join(str(each) for each in kind.values() if each is not True)
    return Fault(
        name=f"request {number} gets {words}",
        number="F7",
        strikes=({**kind, "index": str(number), "count": 1},),
        ends={verb: either()},
    )
