"""Own steps: the folders of scripts and the playbooks that a stack file names, read with it.

Which guests a script is for is in its file's name: `10-motd.sh` is for every guest that its step is
for, `20-share.head.sh` for those of the node group `head` alone. Paths are relative to the stack
file's own folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from event.model import Event, OwnStep
from event.problems import Path, known_names, quoted
from event.references import Finding, step_groups

MOST_FILES = 2000
MOST_SCRIPTS = 200
MOST_BYTES = 16 * 1024 * 1024
"""What all files of a playbook's folder may hold together."""
SCRIPT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScript:
    """A script of the organiser's own; `group` is the node group in its file's name."""

    name: str  # steps/10-motd.sh, as the stack file and the folder write it
    group: str | None
    digest: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlaybook:
    """An Ansible playbook; `digest` changes with any file of its folder."""

    name: str  # as the stack file writes it
    digest: str
    path: FilePath = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSteps:
    """What one step of the stack file gives, and for whom: empty is for all."""

    clusters: tuple[str, ...]
    node_groups: tuple[str, ...]
    scripts: tuple[OwnScript, ...] = ()
    playbook: OwnPlaybook | None = None


class _WrongError(Exception):
    """A file that cannot be taken: what was found, what is the matter, what to write."""

    def __init__(self, found: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.found, self.message, self.hint = found, message, hint


def read_steps(event: Event, folder: FilePath) -> tuple[tuple[OwnSteps, ...], list[Finding]]:
    """The steps of an event whose file is in `folder`, and what is wrong with them."""
    steps: list[OwnSteps] = []
    findings: list[Finding] = []
    groups = step_groups(event)
    for position, step in enumerate(event.contextualize.steps):
        path: Path = ("event", "contextualize", "steps", position)
        if (step.scripts is None) == (step.playbook is None):
            both = "has both scripts and playbook" if step.scripts else "does nothing"
            hint = "write scripts: <folder>, or playbook: <file>; one of them in each step"
            findings.append(Finding(path, None, both, hint))
            continue
        key = "scripts" if step.scripts is not None else "playbook"
        try:
            steps.append(_step(step, folder, groups))
        except _WrongError as wrong:
            findings.append(Finding((*path, key), wrong.found, wrong.message, wrong.hint))
    return tuple(steps), findings


def _step(step: OwnStep, folder: FilePath, groups: list[str]) -> OwnSteps:
    scripts = tuple(_scripts(step.scripts, folder, groups)) if step.scripts is not None else ()
    return OwnSteps(
        clusters=tuple(step.clusters),
        node_groups=tuple(step.node_groups),
        scripts=scripts,
        playbook=_playbook(step.playbook, folder) if step.playbook is not None else None,
    )


# ---------------------------------------------------------------- scripts


def _scripts(written: str, folder: FilePath, groups: list[str]) -> Iterator[OwnScript]:
    """The scripts of a folder in the order of their names; hidden files, folders and files
    called README are none."""
    place = folder / os.path.expanduser(written)
    if not place.is_dir():
        raise _missing(written, place, "folder")
    files = sorted(
        (each for each in place.iterdir() if each.is_file() and _is_script(each.name)),
        key=lambda each: each.name,
    )
    if not files:
        hint = "put scripts there, such as 10-motd.sh, or leave the step out"
        raise _WrongError(quoted(written), "has no script in it", hint)
    if len(files) > MOST_SCRIPTS:
        raise _WrongError(
            quoted(written), f"has {len(files)} files", f"take at most {MOST_SCRIPTS}"
        )
    base = os.path.normpath(written)
    for file in files:
        yield _script(f"{base}/{file.name}", file, groups)


def _is_script(name: str) -> bool:
    return not name.startswith(".") and not name.endswith("~") and not name.startswith("README")


def _script(name: str, file: FilePath, groups: list[str]) -> OwnScript:
    if not all(each.isalnum() or each in "._+-" for each in file.name) or len(file.name) > 100:
        hint = "use letters, digits, dots, hyphens and _ in it, at most 100"
        raise _WrongError(quoted(name), "has a name that is no word", hint)
    group = file.name.split(".")[-2] if file.name.count(".") >= 2 else None
    if group is not None and group not in groups:
        hint = f"between the last two dots stands a node group: {known_names(group, groups)}"
        raise _WrongError(quoted(name), f"is for {group}, which is no node group", hint)
    data = _bytes(name, file, SCRIPT_BYTES)
    if not data.startswith(b"#!/"):
        hint = "write #!/bin/sh there, or move the file elsewhere; README and hidden files may stay"
        raise _WrongError(quoted(name), "does not begin with the line of its interpreter", hint)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _WrongError(quoted(name), "is not text in UTF-8", "write it as UTF-8") from None
    return OwnScript(name=name, group=group, digest=_digest([data]), text=text)


# ---------------------------------------------------------------- playbooks


def _playbook(written: str, folder: FilePath) -> OwnPlaybook:
    file = folder / os.path.expanduser(written)
    if not file.is_file():
        raise _missing(written, file, "file")
    if file.parent.resolve() == folder.resolve():
        hint = f"put it into a folder of its own, e.g. playbooks/{file.name}"
        message = "is beside the stack file, and whatever changes beside a playbook runs it again"
        raise _WrongError(quoted(written), message, hint)
    parts: list[bytes] = []
    left = MOST_BYTES
    for count, each in enumerate(_files(file.parent)):
        if count >= MOST_FILES:
            hint = "put it into a folder that holds nothing but what it needs"
            raise _WrongError(quoted(written), f"has more than {MOST_FILES} files beside it", hint)
        relative = each.relative_to(file.parent).as_posix()
        data = _bytes(f"{written}: {relative}", each, left)
        parts += [os.fsencode(relative), data]
        left -= len(data)
    return OwnPlaybook(name=os.path.normpath(written), digest=_digest(parts), path=file.absolute())


def _files(folder: FilePath) -> Iterator[FilePath]:
    """Files below a folder in the order of their names; nothing hidden, no cache, no links."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and each != "__pycache__"
        )
        for name in sorted(names):
            file = FilePath(root, name)
            if not name.startswith(".") and not name.endswith(("~", ".retry")) and file.is_file():
                yield file


def _bytes(name: str, file: FilePath, most: int) -> bytes:
    try:
        size = file.stat().st_size
        if size > most:
            raise _WrongError(quoted(name), f"has {size} bytes", f"take at most {most}")
        return file.read_bytes()
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise _WrongError(quoted(name), why, "let yourself read it") from None


def _missing(written: str, place: FilePath, kind: str) -> _WrongError:
    near = [each.name for each in place.parent.iterdir()] if place.parent.is_dir() else []
    hint = f"the path is from the stack file's folder; {known_names(place.name, sorted(near))}"
    return _WrongError(quoted(written), f"is no {kind}", hint)


def _digest(parts: list[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]
