"""Tells a run while it goes on: a bar on a terminal, plain lines otherwise, or JSON events.

JSON events, one object a line on stdout, each with `event` and `t` (seconds since the start of
the run). `resource` is a guest's or resource's name.

    {"event": "step", "text"}                            what the command line does next
    {"event": "resource", "resource", "guest", "operation", "state", "message"?}
    {"event": "progress", "done", "total", "failed"}     guests; after each change
    {"event": "warning", "text"}
    {"event": "summary", "result", "changes", "seconds", "done", "total", "failed", "log", "next"}
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from operate.engine_errors import provider_text
from operate.event_log import QUIET_OPERATIONS, Event, Message, Step

PLAIN_EVERY_S = 5.0
SHOWN_NAMES = 4
LONGEST_MESSAGE = 110
HALVES = frozenset({"delete-replaced", "replace"})
"""Operations after which a replaced resource is not there yet."""
ENDINGS = frozenset({"update failed", "preview failed", "refresh failed", "destroy failed"})
"""What the engine says at the end of every run that failed; it tells nothing."""
INTERRUPTED = (
    "stopping: steps in work are finished and saved first; interrupt again to abandon them",
    "abandoning the steps in work; the next run clears up after them",
)
VERBS = {
    "create": "made",
    "update": "changed",
    "replace": "made anew",
    "create-replacement": "made anew",
    "delete": "removed",
    "refresh": "looked at",
    "same": "unchanged",
    "import": "taken in",
}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a run has done so far, in guests and in other resources.

    `wanted` are the guests that the run is about; None for a run that is not about guests. A guest
    counts as done when its last operation is: a replaced one counts once.
    """

    wanted: frozenset[str] | None = None
    running: dict[str, str] = field(default_factory=dict)  # name -> operation
    done: set[str] = field(default_factory=set)  # guests
    others: set[str] = field(default_factory=set)  # other resources that are done
    failed: dict[str, str] = field(default_factory=dict)  # name -> message
    heard: dict[str, str] = field(
        default_factory=dict
    )  # the same of one in work: may be tried again
    changed: dict[str, str] = field(default_factory=dict)  # name -> operation that did something
    gone: set[str] = field(default_factory=set)  # a refresh found nothing
    drift: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name -> fields that differ
    warnings: list[str] = field(default_factory=list)
    general_errors: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Step):
            self._step(event)
        elif isinstance(event, Message):
            self._message(event)

    def _step(self, step: Step) -> None:
        if step.inner:
            return
        if step.state == "started":
            if step.operation != "same":
                self.running[step.name] = step.operation
                self.done.discard(step.name)
            return
        began = self.running.pop(step.name, step.operation)
        heard = self.heard.pop(step.name, f"{step.operation} failed")
        if step.state == "failed":
            self.failed.setdefault(step.name, heard)
            self.done.discard(step.name)
            return
        if step.name not in self.failed and step.operation not in HALVES:
            (self.done if step.is_guest else self.others).add(step.name)
        if began == "refresh":
            # The engine says what it found as the operation that would have led there.
            if step.operation == "delete":
                self.gone.add(step.name)
            elif step.operation == "update":
                self.drift[step.name] = step.fields
        elif step.operation not in QUIET_OPERATIONS and step.operation != "delete-replaced":
            self.changed[step.name] = step.operation

    def _message(self, message: Message) -> None:
        if message.severity == "warning":
            self.warnings.append(provider_text(message.text))
        elif message.severity == "error":
            text = provider_text(message.text)
            if text in ENDINGS:
                return
            if message.name is None:
                self.general_errors.append(text)
            elif message.name in self.running:
                self.heard.setdefault(message.name, text)
            elif self.failed.get(message.name, "").endswith(" failed") or (
                message.name not in self.failed
            ):
                self.failed[message.name] = text
                self.done.discard(message.name)

    @property
    def total(self) -> int | None:
        """Number of guests that the run is about."""
        return None if self.wanted is None else len(self.wanted)

    @property
    def ready(self) -> int:
        """Number of those guests that are done."""
        return len(self.done if self.wanted is None else self.done & self.wanted)

    @property
    def count(self) -> str:
        """`12 of 131 guests`, or `7 resources`."""
        if self.wanted is None:
            return f"{len(self.done) + len(self.others)} resources"
        return f"{self.ready} of {self.total} guests"

    @property
    def at_work(self) -> str:
        """The names in work: `c03-head, c03-n1, … (8)`."""
        names = list(self.running)
        shown = ", ".join(names[:SHOWN_NAMES])
        return f"{shown}, … ({len(names)})" if len(names) > SHOWN_NAMES else shown


def shortened(text: str) -> str:
    """A message while the run goes on; all of it comes at the end."""
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


class Telling(Protocol):
    """How a run is told."""

    def step(self, text: str) -> None:
        """What the command line does next."""

    def warn(self, text: str) -> None:
        """Something that does not stop the run."""

    def event(self, event: Event, tally: Tally) -> None:
        """An event of the engine, which the tally has taken."""

    def interrupted(self, count: int) -> None:
        """The person wants it to stop, for the first or second time."""

    def run(self, title: str, tally: Tally) -> AbstractContextManager[None]:
        """Around a run of the engine."""

    def summary(self, lines: list[str], record: dict[str, Any]) -> None:
        """The end: lines for people, the same as a record for programs."""


class PlainTelling:
    """Lines on stdout: a count every few seconds, and each error when it comes."""

    def __init__(self) -> None:
        self._last = 0.0
        self._errors: set[str] = set()

    def step(self, text: str) -> None:
        """A line."""
        print(text, flush=True)

    def warn(self, text: str) -> None:
        """A line on stderr."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def event(self, event: Event, tally: Tally) -> None:  # noqa: ARG002
        """A line when some seconds have passed, or when something failed."""
        for name in tally.failed.keys() - self._errors:
            self._errors.add(name)
            self.line(f"  {name}: {shortened(tally.failed[name])}")
        now = time.monotonic()
        if now - self._last >= PLAIN_EVERY_S and tally.running:
            self._last = now
            self.line(f"  {tally.count} done, in work: {tally.at_work}")

    def interrupted(self, count: int) -> None:
        """A line that says what the next interrupt would do."""
        self.step(INTERRUPTED[min(count, len(INTERRUPTED)) - 1])

    def line(self, text: str) -> None:
        """Print a line of progress."""
        print(text, flush=True)

    @contextmanager
    def run(self, title: str, tally: Tally) -> Iterator[None]:  # noqa: ARG002
        """Announce the run."""
        self._last, self._errors = time.monotonic(), set()
        self.step(title)
        yield

    def summary(self, lines: list[str], record: dict[str, Any]) -> None:  # noqa: ARG002
        """Print the lines."""
        for line in lines:
            print(line, flush=True)


class TerminalTelling(PlainTelling):
    """A bar with guests done, names in work and time, by rich."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self._console = Console(highlight=False)
        self._bar: Any = None
        self._task: Any = None

    def step(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, markup=False, style="red", soft_wrap=True)

    def event(self, event: Event, tally: Tally) -> None:  # noqa: ARG002
        """Move the bar."""
        for name in tally.failed.keys() - self._errors:
            self._errors.add(name)
            self.line(f"  {name}: {shortened(tally.failed[name])}")
        if self._bar is not None:
            done = tally.ready if tally.wanted is not None else None
            self._bar.update(self._task, completed=done, counted=tally.count, at_work=tally.at_work)

    @contextmanager
    def run(self, title: str, tally: Tally) -> Iterator[None]:
        """Show the bar while the engine runs."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._errors = set()
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[counted]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[at_work]}", style="dim", markup=False),
            console=self._console,
        )
        with bar:
            self._bar = bar
            self._task = bar.add_task(title, total=tally.total, counted="", at_work="")
            try:
                yield
            finally:
                bar.update(self._task, at_work="")
                self._bar = None


class JsonTelling:
    """JSON events on stdout, see the module's docstring."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._counted = (-1, -1)

    def _put(self, event: str, **fields: object) -> None:
        record = {"event": event, "t": round(time.monotonic() - self._start, 3), **fields}
        print(json.dumps(record, ensure_ascii=False), flush=True)

    def step(self, text: str) -> None:
        """An event `step`."""
        self._put("step", text=text)

    def warn(self, text: str) -> None:
        """An event `warning`."""
        self._put("warning", text=text)

    def event(self, event: Event, tally: Tally) -> None:
        """Events `resource` and `progress`."""
        if isinstance(event, Step) and event.operation != "same" and not event.inner:
            fields = {
                "resource": event.name,
                "guest": event.is_guest,
                "operation": event.operation,
                "state": event.state,
            }
            if event.state == "failed":
                fields["message"] = tally.failed.get(event.name, "")
            self._put("resource", **fields)
        counted = (tally.ready, len(tally.failed))
        if counted != self._counted and tally.total is not None:
            self._counted = counted
            self._put("progress", done=counted[0], total=tally.total, failed=counted[1])

    def interrupted(self, count: int) -> None:
        """An event `step`."""
        self.step(INTERRUPTED[min(count, len(INTERRUPTED)) - 1])

    @contextmanager
    def run(self, title: str, tally: Tally) -> Iterator[None]:  # noqa: ARG002
        """An event `step`."""
        self._counted = (-1, -1)
        self.step(title)
        yield

    def summary(self, lines: list[str], record: dict[str, Any]) -> None:  # noqa: ARG002
        """An event `summary`."""
        self._put("summary", **record)


def telling(*, json_events: bool) -> Telling:
    """How to tell here: JSON events when asked for, a bar on a terminal, else plain lines."""
    if json_events:
        return JsonTelling()
    return TerminalTelling() if sys.stdout.isatty() else PlainTelling()
