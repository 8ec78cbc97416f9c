"""Own steps: which guest gets which of the organiser's scripts and playbooks."""

from __future__ import annotations

from collections.abc import Iterable

from event.own_steps import OwnPlaybook, OwnScript, OwnSteps
from plan.phrases import few
from plan.records import EventPlan, Guest


def scripts_of(steps: Iterable[OwnSteps], cluster: str | None, group: str) -> tuple[OwnScript, ...]:
    """Scripts for a node; one that several steps give runs once."""
    found = {
        script.name: script
        for step in steps
        for script in step.scripts
        if script.group in (None, group) and _is_for(step, cluster, group, script.group)
    }
    return tuple(found.values())


def playbooks_of(
    steps: Iterable[OwnSteps], cluster: str | None, group: str
) -> tuple[OwnPlaybook, ...]:
    """Playbooks that a node is in."""
    given = (step.playbook for step in steps if _is_for(step, cluster, group))
    return tuple({each.name: each for each in given if each is not None}.values())


def _is_for(step: OwnSteps, cluster: str | None, group: str, of_script: str | None = None) -> bool:
    """Whether a step is for a node. The instructors' node, which is in no cluster, has to be
    named: by the step, or by the script's file."""
    if cluster is None:
        named = step.node_groups or (of_script,)
        return not step.clusters and group in named
    return cluster in (step.clusters or (cluster,)) and group in (step.node_groups or (group,))


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
    inside = [each for each in guests if each.cluster is not None]
    groups = dict.fromkeys(each.node_group for each in inside)
    clusters = list(dict.fromkeys(each.cluster or "" for each in inside))
    every = len(clusters) == len(plan.clusters)
    where = "every cluster" if every else few(clusters)
    words = [f"{len(inside)} guests ({', '.join(groups)}) of {where}"] if inside else []
    words += ["the instructors' node"] if len(inside) < len(guests) else []
    return " and ".join(words)
