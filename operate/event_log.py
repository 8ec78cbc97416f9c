"""The engine's event log, line by line, as the few events that a run is told by.

The engine writes one JSON object a line while it runs. Debug messages, inputs and outputs are
dropped here; secrets are masked by the engine before it writes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

GUEST_TYPES = ("VmLegacy",)
"""Last part of the resource types that are virtual machines."""

_COLOUR = re.compile(r"<\{%.*?%\}>")
QUIET_OPERATIONS = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A resource's operation has started, ended well, or failed."""

    state: Literal["started", "done", "failed"]
    operation: str  # create, update, replace, delete, same, refresh, …
    name: str  # what people call it: a guest's name, else `name (Type)`
    type: str  # VmLegacy
    urn: str
    inner: bool = False  # a component or provider: nothing at the site by itself
    fields: tuple[str, ...] = ()  # what differs, as the engine's property paths

    @property
    def is_guest(self) -> bool:
        """Whether the resource is a virtual machine."""
        return self.type in GUEST_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that the engine, a plugin or the program says about a resource, or in general."""

    severity: Literal["info", "warning", "error"]
    text: str
    name: str | None  # as in `Step`; None for the stack as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The end of a run: how many resources were created, updated, … and in what time."""

    changes: dict[str, int]
    seconds: int
    result: str  # succeeded, failed, canceled


Event = Step | Message | Summary


def parse_line(line: bytes | str) -> Event | None:
    """The event of one line; None for those that a run is not told by."""
    try:
        record = json.loads(line)
    except ValueError:
        return None  # the last line of an engine that was killed
    if not isinstance(record, dict):
        return None
    if body := record.get("diagnosticEvent"):
        return _message(body)
    if body := record.get("summaryEvent"):
        return Summary(
            changes={str(k): int(v) for k, v in (body.get("resourceChanges") or {}).items()},
            seconds=int(body.get("durationSeconds") or 0),
            result=str(body.get("result") or ""),
        )
    for key, state in _STATES.items():
        if body := record.get(key):
            return _step(body["metadata"], state)
    if body := record.get("errorEvent"):
        return Message(severity="error", text=str(body.get("error")), name=None)
    return None


_STATES: dict[str, Literal["started", "done", "failed"]] = {
    "resourcePreEvent": "started",
    "resOutputsEvent": "done",
    "resOpFailedEvent": "failed",
}


def urn_name(urn: str) -> str:
    """The logical name in a URN: its last part."""
    return urn.rpartition("::")[2]


def urn_type(urn: str) -> str:
    """The type token in a URN."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 3 else ""


def spoken(urn: str) -> str:
    """What people call a resource: a guest by its name, others with their type."""
    name, kind = urn_name(urn), short_type(urn_type(urn))
    return name if kind in GUEST_TYPES else f"{name} ({kind.removesuffix('Legacy')})"


def short_type(token: str) -> str:
    """The class in a type token: proxmoxve:index/vmLegacy:VmLegacy is VmLegacy."""
    return token.rpartition(":")[2]


def _step(metadata: dict[str, Any], state: Literal["started", "done", "failed"]) -> Step:
    urn = str(metadata.get("urn") or "")
    operation = str(metadata.get("op") or "")
    differing = metadata.get("detailedDiff") or dict.fromkeys(metadata.get("diffs") or ())
    token = str(metadata.get("type") or "")
    return Step(
        state=state,
        operation=operation,
        name=spoken(urn),
        type=short_type(token),
        urn=urn,
        inner=token.startswith(("practicum:", "pulumi:")),
        fields=tuple(sorted(differing)),
    )


def _message(body: dict[str, Any]) -> Message | None:
    severity = str(body.get("severity") or "")
    if severity == "debug" or body.get("ephemeral"):
        return None
    text = _COLOUR.sub("", str(body.get("message") or "")).strip()
    urn = str(body.get("urn") or "")
    if not text:
        return None
    return Message(
        severity="error" if severity == "error" else "warning" if severity == "warning" else "info",
        text=text,
        name=spoken(urn) if urn and not urn_type(urn).startswith("pulumi:") else None,
    )


class Tail:
    """Reads a growing log: each call gives the events of the lines that were completed since."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._rest = b""

    def events(self) -> list[Event]:
        """Events since the last call; half a line waits for its other half."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [event for line in lines if line and (event := parse_line(line)) is not None]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
