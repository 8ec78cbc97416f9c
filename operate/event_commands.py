"""Verbs for the days of an event: prepare clusters, print handouts, enter guests.

Each verb imports what it needs when it is called, as in `operate.command_line`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

EventName = Annotated[str, typer.Argument(metavar="STACK", help="Event.")]
Json = Annotated[bool, typer.Option("--json", help="JSON events, one a line.")]
Out = Annotated[Optional[Path], typer.Option("--out", "-o", metavar="PATH")]  # noqa: UP045


def add_event_commands(app: typer.Typer) -> None:
    """Add the verbs of this module to the command line."""
    for verb in (status, contextualize, reset, sheets, topology, ssh, console, disk):
        app.command()(verb)
    app.command("contextualize-cluster", hidden=True)(contextualize_cluster)


def contextualize(
    stack: EventName,
    clusters: Annotated[Optional[list[str]], typer.Argument(metavar="[CLUSTER]...")] = None,  # noqa: UP045
    force: Annotated[bool, typer.Option("--force", help="Over what participants changed.")] = False,
    json_events: Json = False,
) -> None:
    """Prepare clusters once more, up to the level that the stack file asks for."""
    from operate.contextualize import verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    told = telling(json_events=json_events)
    event = load_event(stack, places)
    raise typer.Exit(verb.contextualize(event, clusters or [], places, told, force=force))


def contextualize_cluster(stack: str, cluster: str) -> None:
    """What the program runs for one cluster: secret and token come on standard input."""
    from operate.contextualize import verb

    raise typer.Exit(verb.from_program(stack, cluster, sys.stdin, os.environ))


def status(
    stack: EventName,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Until all is as wanted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, a line for each look.")] = False,
) -> None:
    """Tell which guests run, answer and are prepared: exit code 0 when all is as wanted."""
    from operate import status as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    event, told = load_event(stack, places), telling(json_events=False)
    raise typer.Exit(verb.status(event, places, told, watch=watch, as_json=as_json))


def reset(
    stack: EventName,
    node: Annotated[str, typer.Argument(metavar="CLUSTER[/NODE]", help="c07 or c07/n2.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_events: Json = False,
) -> None:
    """Make a cluster or a node anew, as `up` left it: ALL WORK ON IT IS LOST."""
    from operate import reset as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event
    from operate.up import Wishes

    places = Places.of(os.environ)
    wishes, told = Wishes(yes=yes), telling(json_events=json_events)
    verb.reset(load_event(stack, places), node, places, wishes, told)


def sheets(stack: EventName, out: Out = None) -> None:
    """Write the handouts of an event WITH THEIR PASSWORDS: sheets, list of groups, SSH settings."""
    from operate.handouts import verbs
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    verbs.sheets(load_event(stack, places), out, places, telling(json_events=False))


def topology(stack: EventName, out: Out = None) -> None:
    """Draw hosts, clusters and VLANs of an event as SVG; to a file, or to standard output."""
    from operate.handouts import verbs
    from operate.places import Places
    from operate.stacks import load_event

    print(verbs.topology(load_event(stack, Places.of(os.environ)), out), end="")


def ssh(
    stack: EventName,
    node: Annotated[str, typer.Argument(metavar="CLUSTER[/NODE]", help="c07 or c07/n2.")],
    words: Annotated[Optional[list[str]], typer.Argument(metavar="[COMMAND]...")] = None,  # noqa: UP045
) -> None:
    """Log in to a node by SSH, with the host key that it was given."""
    from operate.handouts import entry
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    told = telling(json_events=False)
    raise typer.Exit(entry.ssh(load_event(stack, places), node, words or [], places, told))


def console(
    stack: EventName,
    node: Annotated[str, typer.Argument(metavar="CLUSTER[/NODE]", help="c07 or c07/n2.")],
) -> None:
    """Look at the serial console of a node, and type on it: works when its network does not."""
    from operate import console as verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    told = telling(json_events=False)
    raise typer.Exit(verb.console(load_event(stack, places), node, places, told))


def disk(
    stack: EventName,
    node: Annotated[str, typer.Argument(metavar="CLUSTER/NODE", help="c07/n2; it is off.")],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="ls, get, put, edit or shell.")],
    words: Annotated[Optional[list[str]], typer.Argument(metavar="[WORD]...")] = None,  # noqa: UP045
) -> None:
    """Repair the files of a node that does not boot: ls [PATH], get PATH [FILE], put FILE PATH,
    edit PATH, shell [COMMAND]."""
    from operate.disk import verb
    from operate.places import Places
    from operate.progress import telling
    from operate.stacks import load_event

    places = Places.of(os.environ)
    told = telling(json_events=False)
    event = load_event(stack, places)
    raise typer.Exit(verb.disk(event, node, action, words or [], places, told))
