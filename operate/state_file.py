"""The file that the engine keeps a stack's state in: whether it is whole, and its copies.

A torn or empty file must never be taken for "nothing is deployed". The engine keeps the state from
before the last write beside the file, and one copy of each run.

The engine puts states in their place whole, but writes the attributes of a file (type, checksum)
beside it as they come. One that is killed there leaves them torn, and then no engine reads the
state any more. They say nothing that is needed: without them the state is read as ever.
"""

from __future__ import annotations

import gzip
import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from event.problems import RunError
from operate.locks import PROJECT

SHOWN_COPIES = 3


def stop_if_torn(backend_url: str, stack: str) -> None:
    """`RunError` with the whole copies of a state file that is torn, empty or another stack's.

    Torn attributes of the file are removed. Does nothing for backends that are no folder, and for a
    stack without a file.
    """
    if not backend_url.startswith("file://"):
        return
    folder = Path(backend_url.removeprefix("file://")).expanduser() / ".pulumi"
    _drop_torn_attributes(folder, stack)
    for path in (folder / "stacks" / PROJECT / f"{stack}{end}" for end in (".json", ".json.gz")):
        if path.is_file() and (problem := _problem(path, stack)):
            copies = [each for each in _copies(folder, path, stack) if not _problem(each, stack)]
            raise RunError(_text(path, problem, copies))


def _drop_torn_attributes(folder: Path, stack: str) -> None:
    """Harmless for an engine that is just writing them: it does without."""
    of_state = (folder / "stacks" / PROJECT).glob(f"{stack}.json*.attrs")
    for path in (folder / "meta.yaml.attrs", *of_state):
        with suppress(OSError):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                path.unlink()


def _problem(path: Path, stack: str) -> str:
    """What is wrong with a state; empty when nothing is."""
    try:
        body = path.read_bytes()
        if not body.strip(b"\0 \n"):
            return "is empty"
        content = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    except (OSError, EOFError, ValueError) as error:
        return f"is torn ({error})"
    checkpoint = content.get("checkpoint") if isinstance(content, dict) else None
    if not isinstance(checkpoint, dict) or "version" not in content:
        return "is no state of Pulumi's"
    others = {name for name in _stacks(checkpoint) if name != stack}
    return f"is the state of {min(others)}" if others else ""


def _stacks(checkpoint: dict[str, Any]) -> Iterator[str]:
    """The stacks that the resources of a state say they are of."""
    latest = checkpoint.get("latest")
    resources = latest.get("resources") if isinstance(latest, dict) else None
    for each in resources if isinstance(resources, list) else ():
        parts = str(each.get("urn") if isinstance(each, dict) else "").split(":", 3)
        if len(parts) == 4 and parts[:2] == ["urn", "pulumi"]:
            yield parts[2]


def _copies(folder: Path, path: Path, stack: str) -> list[Path]:
    """Copies of a state, newest first."""
    found = [each for each in path.parent.glob(f"{path.name}*.bak*") if each.is_file()]
    found += (folder / "backups" / PROJECT / stack).glob(f"{stack}.*{path.name[len(stack) :]}")
    return sorted(found, key=lambda each: each.stat().st_mtime_ns, reverse=True)


def _text(path: Path, problem: str, copies: list[Path]) -> str:
    where = f"{path}: the stack's state {problem}; nothing was changed."
    if not copies:
        return (
            f"{where} There is no whole copy of it. To build it anew from what is at the site "
            f"with the stack's mark, type: {shlex.join(['mv', str(path), f'{path}.torn'])} "
            "and then the same again"
        )
    shown = ", ".join(str(each) for each in copies[:SHOWN_COPIES])
    more = f" and {len(copies) - SHOWN_COPIES} more" if len(copies) > SHOWN_COPIES else ""
    return (
        f"{where} Its whole copies, newest first: {shown}{more}. What has been made since is taken "
        f"over. To go on, type: {shlex.join(['cp', str(copies[0]), str(path)])} and then the same "
        "again"
    )
