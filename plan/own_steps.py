"""Own steps: which guest gets which of the organiser's scripts and playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from event.own_steps import OwnPlaybook, OwnScript, OwnSteps
from plan.phrases import few
from plan.records import EventPlan, Guest


def scripts_of(steps: Iterable[OwnSteps], cluster: str | None, group: str) -> tuple[OwnScript, ...]:
    """Scripts for a node; one that several steps give runs once. None for the instructors' node,
    which is in no cluster."""
    found = {
        script.name: script
        for step in _for(steps, cluster, group)
        for script in step.scripts
        if script.group in (None, group)
    }
    return tuple(found.values())


def playbooks_of(
    steps: Iterable[OwnSteps], cluster: str | None, group: str
) -> tuple[OwnPlaybook, ...]:
    """Playbooks that a node is in."""
    given = (step.playbook for step in _for(steps, cluster, group))
    return tuple({each.name: each for each in given if each is not None}.values())


def _for(steps: Iterable[OwnSteps], cluster: str | None, group: str) -> Iterator[OwnSteps]:
    for step in steps:
        if cluster is None or (step.clusters and cluster not in step.clusters):
            continue
        if not step.node_groups or group in step.node_groups:
            yield step


def step_lines(plan: EventPlan) -> list[str]:
    """A line for each own step, with the guests that it is for; nothing where there is none."""
    guests: dict[str, list[Guest]] = {}
    for guest in plan.guests:
        for script in guest.own_scripts:
            guests.setdefault(f"script {script.name}", []).append(guest)
        for playbook in guest.own_playbooks:
            guests.setdefault(f"playbook {playbook.name}", []).append(guest)
    return [f"own {name}: {_whom(plan, found)}" for name, found in sorted(guests.items())]


def _whom(plan: EventPlan, guests: list[Guest]) -> str:
    """Guests in words: how many, of which groups and clusters."""
    groups = dict.fromkeys(each.node_group for each in guests)
    clusters = list(dict.fromkeys(each.cluster or "" for each in guests))
    every = len(clusters) == len(plan.clusters)
    where = "every cluster" if every else few(clusters)
    return f"{len(guests)} guests ({', '.join(groups)}) of {where}"
