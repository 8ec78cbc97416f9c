"""Whether HA rules can be kept together: every fault by rule and option."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.formats import split_list
from lab.section_file import Section

Faults = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    resources: frozenset[str]
    nodes: Mapping[str, int]


def priorities(text: str) -> dict[str, int]:
    """Hosts of a rule and their priorities; one without a number has 0."""
    found = (part.partition(":") for part in split_list(text))
    return {node: int(priority or 0) for node, _, priority in found}


def faults(rules: Mapping[str, Section], nodes: Iterable[str]) -> Faults:
    """What is wrong with each rule; rules that are disabled take no part."""
    found: Faults = defaultdict(lambda: defaultdict(list))
    places = _rules(rules, "node-affinity")
    together = _rules(rules, "resource-affinity", "positive")
    apart = _rules(rules, "resource-affinity", "negative")
    _check_places(places, found)
    _check_sizes([*together, *apart], apart, len(list(nodes)), found)
    _check_opposites(together, apart, found)
    _check_priorities([*together, *apart], places, found)
    _check_one_place(together, places, found)
    _check_room(apart, places, found)
    return {
        name: {option: sorted(texts) for option, texts in options.items()}
        for name, options in found.items()
    }


def _rules(rules: Mapping[str, Section], kind: str, affinity: str | None = None) -> list[_Rule]:
    return [
        _Rule(
            name=name,
            resources=frozenset(split_list(rule["resources"])),
            nodes=priorities(rule.get("nodes", "")),
        )
        for name, rule in rules.items()
        if rule["type"] == kind
        and affinity in (None, rule.get("affinity"))
        and "disable" not in rule
    ]


def _add(found: Faults, rules: Iterable[str], text: str) -> None:
    for name in rules:
        found[name]["resources"].append(text)


def _check_places(places: list[_Rule], found: Faults) -> None:
    users: dict[str, list[str]] = defaultdict(list)
    for rule in places:
        for sid in rule.resources:
            users[sid].append(rule.name)
    for sid, names in users.items():
        if len(names) > 1:
            _add(found, names, f"resource '{sid}' is already used in another node affinity rule")


def _check_sizes(affinities: list[_Rule], apart: list[_Rule], hosts: int, found: Faults) -> None:
    single = [rule.name for rule in affinities if len(rule.resources) < 2]
    _add(found, single, "rule is ineffective as there are less than two resources")
    crowded = [rule.name for rule in apart if len(rule.resources) > hosts]
    _add(found, crowded, "rule defines more resources than available nodes")


def _groups(together: list[_Rule]) -> list[tuple[frozenset[str], list[str]]]:
    """Rules that keep resources together, joined where they share one."""
    groups: list[tuple[frozenset[str], list[str]]] = []
    for rule in together:
        joined, names = rule.resources, [rule.name]
        rest = []
        for resources, others in groups:
            if resources & joined:
                joined, names = joined | resources, [*others, *names]
            else:
                rest.append((resources, others))
        groups = [*rest, (joined, names)]
    return groups


def _check_opposites(together: list[_Rule], apart: list[_Rule], found: Faults) -> None:
    shares = "rule shares two or more resources with a {} resource affinity rule"
    for resources, names in _groups(together):
        for rule in apart:
            if len(resources & rule.resources) > 1:
                _add(found, [rule.name], shares.format("positive"))
                _add(found, names, shares.format("negative"))


def _check_priorities(affinities: list[_Rule], places: list[_Rule], found: Faults) -> None:
    for rule in affinities:
        shared = [place for place in places if place.resources & rule.resources]
        if any(len(set(place.nodes.values())) > 1 for place in shared):
            text = "resources are in node affinity rules with multiple priorities"
            _add(found, [rule.name], text)
            text = (
                "resources are in a resource affinity rule and cannot be in a node affinity rule "
                "with multiple priorities"
            )
            _add(found, [place.name for place in shared], text)


def _check_one_place(together: list[_Rule], places: list[_Rule], found: Faults) -> None:
    for resources, names in _groups(together):
        shared = [place.name for place in places if place.resources & resources]
        if len(shared) > 1:
            _add(found, names, "resources are in multiple node affinity rules")
            text = (
                "at least one resource is in a positive resource affinity rule and there are "
                "other resources in at least one other node affinity rule already"
            )
            _add(found, shared, text)


def _check_room(apart: list[_Rule], places: list[_Rule], found: Faults) -> None:
    for rule in apart:
        shared = [place for place in places if place.resources & rule.resources]
        located = {sid for place in shared for sid in place.resources & rule.resources}
        allowed = {node for place in shared for node in place.nodes}
        if len(allowed) < len(located):
            text = "two or more resources are restricted to less nodes than available to the"
            _add(found, [rule.name], f"{text} resources")
            text = (
                "at least one resource is in a negative resource affinity rule and this rule "
                "would restrict these to less nodes than available to the resources"
            )
            _add(found, [place.name for place in shared], text)
