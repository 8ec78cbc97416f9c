"""Which engine the guests of a lab have: the same as long as there are any.

A guest that was made with one engine has no disk, or a disk that nobody reads, with another one.
So the lab keeps the name of its engine in its state folder (`engine`), and takes another one only
while it holds no guest; templates are no guests, because both engines make the same of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.engines.lxc import availability
from lab.store import Store

FILE = "engine"
ENGINES = ("none", "lxc", "qemu")


class ChoiceError(Exception):
    """The engine that is asked for cannot be this lab's; one line that says what to do."""


def kept(state: Path) -> str | None:
    """The engine that a lab has had; None for one that is new. A lab that is older than the file
    has had guests that run if it has a folder for their disks."""
    try:
        name = (state / FILE).read_text().strip()
    except OSError:
        if (state / "guests").is_dir():
            return "lxc"
        return "none" if (state / "lab.db").exists() else None
    return name if name in ENGINES else None


def guests(store: Store) -> int:
    """How many virtual machines there are that are no templates."""
    return sum(not row.get("config", {}).get("template") for _, row in store.items("qemu"))


def check(state: Path, store: Store, wanted: str) -> None:
    """`ChoiceError` when guests of another engine than the wanted one are there."""
    before, count = kept(state), guests(store)
    if (state / FILE).exists() and count and before not in (None, wanted):
        raise ChoiceError(
            f"the {count} guests of this lab were made with the engine {before}, and {wanted} is "
            f"asked for: write `engine: {before}` under practicum:lab; or destroy their events "
            "first, and then start the lab again"
        )


def note(state: Path, engine: str) -> None:
    """Write down the engine that a lab has started with."""
    (state / FILE).write_text(f"{engine}\n")


def facts(state: Path, store: Store) -> dict[str, Any]:
    """What one has to know to choose: the engine `kept` if there are guests, else None; and why
    guests cannot run here (`reason`, None when they can), with the `packages` that are missing."""
    disks = state / "guests"
    return {
        "kept": kept(state) if guests(store) else None,
        "reason": availability.unavailable(disks if disks.is_dir() else state),
        "packages": availability.missing_packages(),
    }
