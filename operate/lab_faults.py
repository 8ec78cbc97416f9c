"""`lab faults add|list|clear`: break a running lab on purpose, and see how often it broke.

Which kinds there are and what they take is the lab's to say; this passes on what was typed.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Optional

import typer

faults_app = typer.Typer(
    name="faults",
    help="Break the lab on purpose: add, list, clear.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Site = Annotated[str, typer.Option("--lab", metavar="STACK", help="Site or event; default: lab.")]
Word = Optional[str]  # noqa: UP045 - typer reads it
Number = Optional[int]  # noqa: UP045
Seconds = Optional[float]  # noqa: UP045


def _option(name: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(name, help=text, metavar=metavar)


@faults_app.command("add")
def add(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="See: faults kinds.")],
    lab: Site = "lab",
    method: Annotated[Word, _option("--method", "Of requests: GET, POST, PUT, DELETE.")] = None,
    path: Annotated[
        Word, _option("--path", "Of requests: * is one part, ** any number.", "PATTERN")
    ] = None,
    task: Annotated[Word, _option("--task", "Type of tasks, such as qmclone.", "PATTERN")] = None,
    about: Annotated[Word, _option("--about", "What tasks are about: a VMID.", "PATTERN")] = None,
    host: Annotated[Word, _option("--host", "Of requests, tasks, or the one that breaks.")] = None,
    index: Annotated[
        Word, _option("--index", "Which of those that fit, from 1: 3, 2-5, 7-.", "LIST")
    ] = None,
    count: Annotated[Number, _option("--count", "Strike so often at most.")] = None,
    chance: Annotated[Seconds, _option("--chance", "Strike with this chance, 0 to 1.")] = None,
    seed: Annotated[Number, _option("--seed", "Of the chance; default 0.")] = None,
    seconds: Annotated[Seconds, _option("--seconds", "It is over after so long.")] = None,
    status: Annotated[Number, _option("--status", "Answer: 400 to 599.")] = None,
    text: Annotated[Word, _option("--text", "Of the answer, the task's error, the lock.")] = None,
    delay: Annotated[Seconds, _option("--delay", "Seconds to wait before the work.")] = None,
    after: Annotated[bool, _option("--after", "Strike when the work is done.")] = False,
    crash: Annotated[bool, _option("--crash", "The host itself is down, not its link.")] = False,
    vmid: Annotated[Number, _option("--vmid", "Of the guest.")] = None,
    storage: Annotated[Word, _option("--storage", "Of the lock, or the full one.")] = None,
    file: Annotated[Word, _option("--file", "Of the cluster, such as user.cfg.")] = None,
    field: Annotated[Word, _option("--field", "To add to answers.", "NAME=VALUE")] = None,
) -> None:
    """Add a fault. It strikes each time that everything given fits, until it is cleared."""
    given = {**locals(), "after": after or None, "crash": crash or None}
    del given["lab"]
    fault = {name: value for name, value in given.items() if value is not None}
    added = _ask(lab, "add-fault", fault=fault)
    print(f"fault {added['number']}: {_line(added)}")


@faults_app.command("list")
def list_faults(
    lab: Site = "lab",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show all faults, what they are about, and how often each has struck."""
    found = _ask(lab, "list-faults")
    if as_json:
        print(json.dumps(found))
    elif not found:
        print("no faults")
    else:
        for fault in found:
            print(f"{fault['number']:3}  {_line(fault)}")


@faults_app.command("clear")
def clear(
    numbers: Annotated[
        Optional[list[int]],  # noqa: UP045
        typer.Argument(metavar="[NUMBER]...", help="Default: all."),
    ] = None,
    lab: Site = "lab",
) -> None:
    """End faults and forget them: hosts come back, locks are let go."""
    gone = _ask(lab, "clear-faults", numbers=numbers or None)
    print(f"cleared: {', '.join(map(str, gone)) or 'there was none'}")


@faults_app.command("kinds")
def kinds(lab: Site = "lab") -> None:
    """Show the kinds of faults and the options that each of them needs and takes."""
    for kind in _ask(lab, "kinds"):
        options = [f"--{name}" for name in kind["needs"]]
        options += [f"[--{name}]" for name in kind["takes"]]
        print(f"{kind['kind']}: {kind['what']}\n    {' '.join(options)}")


def _ask(name: str, do: str, **order: Any) -> Any:
    from operate import lab_process
    from operate.lab_control import ask
    from operate.lab_verbs import site_and_places

    return ask(lab_process.status(*site_and_places(name)), do, **order)


_COUNTED = ("number", "kind", "seen", "fired", "over")


def _line(fault: dict[str, Any]) -> str:
    settings = " ".join(
        f"--{name}" if value is True else f"--{name} {value}"
        for name, value in fault.items()
        if name not in _COUNTED
    )
    over = ", over" if fault["over"] else ""
    return f"{fault['kind']} {settings}".rstrip() + f": struck {fault['fired']} times{over}"
