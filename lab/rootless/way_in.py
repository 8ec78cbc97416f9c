"""How the verbs of the lab's program get into a lab's namespaces, and when these are made."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.engines.lxc import groups
from lab.engines.lxc.availability import unavailable
from lab.engines.lxc.holder import Holder
from lab.errors import TaskError
from lab.rootless import reasons
from lab.rootless.keeper import MAKE, Keeper, inside, wanted

_TRIED = "PRACTICUM_LAB_SCOPE"


@contextmanager
def serving(state: Path) -> Iterator[None]:
    """Be where a server can run containers: for root that is here, for a user in namespaces of the
    lab, which stay as long as guests may go on. `TaskError` where there can be none."""
    keeper, made = Keeper(state), False
    if wanted():
        if reason := unavailable(state / "guests"):
            raise TaskError(f"the lab's engine lxc cannot run here: {reason}")
        _take_group()
        made = _ensure(keeper, state)
        keeper.enter()
    elif keeper.pid is not None and not inside():
        raise TaskError(f"{state} has the guests of a user: start the lab as {state.owner()}")
    try:
        yield
    finally:
        if made and not Holder(state / "guests").adopt():
            keeper.end()


def _take_group() -> None:
    """Be in a control group that can be divided, by the user's systemd if this one cannot be; what
    is below the server's own group is the guests'."""
    place = groups.place()
    if place is None:
        if _TRIED in os.environ:
            raise TaskError(f"the lab's engine lxc cannot run here: {reasons.NO_GROUP}")
        command = [*reasons.scope(), *sys.orig_argv]
        os.execvpe(command[0], command, {**os.environ, _TRIED: "1"})  # noqa: S606
    groups.leave(place)


def _ensure(keeper: Keeper, state: Path) -> bool:
    """Make the keeper if there is none; whether it was made."""
    folder = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if keeper.pid is not None:
            return False
        asyncio.run(Holder(state / "guests").end())  # guests whose networks have gone
        keeper.make()
        return True
    finally:
        os.close(folder)


def go_in(state: Path) -> Keeper:
    """Be in the namespaces of a lab if it has some of its own; its keeper."""
    keeper = Keeper(state)
    if keeper.pid is not None and not inside():
        keeper.enter()
    return keeper


@contextmanager
def ending(state: Path) -> Iterator[None]:
    """Be where a lab's guests can be ended, and end what they lived in."""
    place = Holder(state / "guests").place
    keeper = go_in(state)
    yield
    keeper.end()
    if place is not None:
        groups.remove_tree(place / groups.SERVER)  # the keeper was in it


def remove(folder: Path) -> None:
    """Remove a folder with files of guests in it, which belong to a user's subordinate ids."""
    begin = MAKE if wanted() else ()
    command = [*begin, "rm", "-rf", "--one-file-system", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TaskError(f"{folder} cannot be removed: {done.stderr.strip()}")
