"""Verbs around the engine: variables for a shell, pulumi itself, logins, locks, benchmarks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from event.problems import PracticumError, RunError
from event.stack import Stack
from operate import access as logins
from operate.engine_parts import ensure_engine
from operate.event_token import event_token, is_listed
from operate.lab_process import stop_if_down
from operate.locks import locks
from operate.places import Places
from operate.progress import PlainTelling
from operate.session import Session, lab_token_file, open_session, trust_folder
from operate.stacks import DEFAULT_EVENT, load, load_event, reference, site_of
from operate.variables import TOKEN, engine_variables, shell_lines

ASKING = ("up", "update", "refresh", "destroy", "down", "import", "watch")
"""What plain pulumi does with a site; a preview asks nobody."""


def env_lines(name: str | None) -> None:
    """Print lines for `eval`: the variables that plain pulumi commands need.

    Without a name the token is the lab's root token, which may work on every stack; an event that
    its site lists gets its own one, which another call of ours fetches when the lines are run.
    """
    places = Places.of(os.environ).make()
    stack = load(name or DEFAULT_EVENT, places)
    command = None
    if name is not None and is_listed(stack):
        command = [str(places.root / "practicum"), "env", reference(stack, places).typed, "--token"]
    for line in shell_lines(
        _variables(stack, places),
        token_file=lab_token_file(site_of(stack), places),
        token_command=command,
    ):
        print(line)


def token(name: str | None) -> None:
    """Print the API token that a site has made for an event."""
    places = Places.of(os.environ).make()
    stack = load(name or DEFAULT_EVENT, places)
    if not is_listed(stack):
        raise RunError(
            f"{stack.name}: no event that its site lists; write its name into events: of the site"
        )
    found = event_token(open_session(stack, places, PlainTelling()))
    if found is None:
        raise RunError(
            f"{stack.name}: its site has made no API token yet; type: "
            f"./practicum up {site_of(stack).name}"
        )
    print(found)


def _variables(stack: Stack, places: Places) -> dict[str, str]:
    """Variables for any stack of the checkout; only a file elsewhere has to be named by them."""
    site = site_of(stack)
    outside = reference(stack, places).outside
    return engine_variables(
        places,
        ensure_engine(places),
        os.environ,
        stack_file=stack.path.absolute() if outside else None,
        stacks=site.path.absolute().parent if outside else None,
        trust=trust_folder(site, places),
    )


def pulumi(arguments: Sequence[str]) -> NoReturn:
    """Become pulumi, with practicum's variables, in the checkout. `RunError` when it would ask a
    lab that does not run."""
    places = Places.of(os.environ).make()
    stack = _stack_for(_named_stack(arguments), places)
    if _word(arguments) in ASKING:
        stop_if_down(stack, places)
    variables = {**os.environ, **_variables(stack, places)}
    token_file = lab_token_file(site_of(stack), places)
    if token_file is not None and token_file.is_file():
        variables[TOKEN] = token_file.read_text().strip()
    if is_listed(stack) and stack.name == _named_stack(arguments):
        variables[TOKEN] = _own_token(stack, places) or variables.get(TOKEN, "")
    os.chdir(reference(stack, places).project)
    command = ["pulumi", *arguments]
    os.execvpe("pulumi", command, variables)  # noqa: S606 - the person's own arguments


def _own_token(stack: Stack, places: Places) -> str | None:
    return event_token(open_session(stack, places, PlainTelling()))


def _stack_for(name: str | None, places: Places) -> Stack:
    """The stack that is named, if there is a file for it; else the default."""
    if name is not None:
        try:
            return load(name, places)
        except PracticumError:
            pass
    return load(DEFAULT_EVENT, places)


def _word(arguments: Sequence[str]) -> str | None:
    """What pulumi is to do: its first argument that is neither an option nor a stack's name."""
    before = ""
    for argument in arguments:
        if not argument.startswith("-") and before not in ("-s", "--stack"):
            return argument
        before = argument
    return None


def _named_stack(arguments: Sequence[str]) -> str | None:
    """The stack that pulumi's own arguments name."""
    for position, argument in enumerate(arguments):
        if argument in ("-s", "--stack") and position + 1 < len(arguments):
            return arguments[position + 1].rpartition("/")[2]
        if argument.startswith("--stack="):
            return argument.partition("=")[2].rpartition("/")[2]
    return None


def access(name: str, cluster: str | None, *, as_json: bool, write: Path | None) -> None:
    """Print the logins of an event, or write them to a private file."""
    places = Places.of(os.environ)
    found = logins.access(load_event(name, places), cluster, places, PlainTelling())
    if write is not None:
        logins.write(found, write, json_text=as_json)
        print(f"{len(found)} logins written to {write}")
    else:
        print(logins.as_json(found) if as_json else logins.as_text(found))


def unlock(name: str, *, force: bool) -> None:
    """Release the lock on a stack, when its run is dead or the person insists."""
    places = Places.of(os.environ)
    session = open_session(load(name, places), places, PlainTelling())
    held = locks(session.engine.variables.get("PULUMI_BACKEND_URL", ""), session.stack.name)
    alive = [lock for lock in held if not lock.is_stale]
    if alive and not force:
        raise RunError(
            f"{name}: the run seems alive ({alive[0]}); end it, or type the same with --force"
        )
    if not held and _is_file_backend(session):
        print(f"{name}: no run holds it")
        return
    session.unlock()
    print(f"{name}: released; the next ./practicum up {name} clears up what was in work")


def _is_file_backend(session: Session) -> bool:
    return session.engine.variables.get("PULUMI_BACKEND_URL", "").startswith("file://")


def bench(name: str, arguments: Sequence[str]) -> NoReturn:
    """Run a benchmark to its end; its exit code is ours."""
    _run_room("bench", [name, *arguments])


def image(arguments: Sequence[str]) -> NoReturn:
    """Build or list images, as another room's program; its exit code is ours."""
    _run_room("image", arguments or ["--help"])


def _run_room(room: str, arguments: Sequence[str]) -> NoReturn:
    """Become another room's program: interrupts reach it and nobody before it."""
    places = Places.of(os.environ)
    variables = {**os.environ, "PYTHONPATH": str(places.root)}
    command = [sys.executable, "-P", "-m", room, *arguments]
    os.chdir(places.root)
    os.execve(sys.executable, command, variables)  # noqa: S606 - no shell is wanted
