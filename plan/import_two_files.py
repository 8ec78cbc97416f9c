"""From the two files of the 2009 platform to an event's stack file that plans the same guests.

Sizes are not in the two files: every guest has one core and the default memory and disk, to be
filled in by hand. Passwords are not taken over. Guests that stand elsewhere than practicum would
put them are pinned.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event.messages import translate
from event.model import Event
from event.names import INSTRUCTOR, cluster_name
from event.problems import PlanError, Problem, known_names
from event.source import Section
from event.stack import EventStack, SiteStack
from plan.groups import KNOWN_FIRST_NUMBERS
from plan.guest_lines import GuestLine, read_lines
from plan.guest_pattern import Pattern, PatternNode, find_pattern
from plan.hosts import unfold_hosts
from plan.numbers import LAST_INDEX, vmid
from plan.plan import plan_event
from plan.records import EventPlan
from plan.two_files import TwoFiles

Json = dict[str, Any]

_BARE = re.compile(r"[a-z][A-Za-z0-9-]*|[0-9]+-[0-9]+|[0-9]+(\.[0-9]+){3}(/[0-9]+|-[0-9.]+)?")
_DEFAULTS = {"count": 1, "exposed": False}
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Text of a stack file, the plan that it gives, and what could not be kept."""

    text: str
    plan: EventPlan
    warnings: tuple[str, ...]


def import_two_files(
    files: TwoFiles, site: SiteStack, *, stack: str, title: str = "", folder: str = "."
) -> Imported:
    """The event that the two files describe, on a site. Raises `PlanError` with every problem.

    `folder` is where the files are, for messages; `stack` is the name of the new event.
    """
    lines = read_lines(files, folder)
    _check_site(lines, site)
    pattern = find_pattern(lines)
    event = _event(pattern, site, title)
    _checked(event)
    decided = _pinned(event, pattern, lines, site, stack)
    plan = _plan(decided, site, stack)
    return Imported(text=_stack_text(decided), plan=plan, warnings=_not_kept(lines, plan))


def _check_site(lines: Sequence[GuestLine], site: SiteStack) -> None:
    """Images and hosts are those of the site."""
    images = list(site.site.images)
    hosts = {host.name: host for host in unfold_hosts(site.site)}
    problems = []
    for line in lines:
        if line.image not in images:
            problems.append(
                Problem(
                    where=line.where, found=line.image,
                    message=f"is not an image of the site {site.name}",
                    hint=known_names(line.image, images),
                )
            )  # fmt: skip
        if line.host not in hosts:
            problems.append(
                Problem(
                    where=line.host_where, found=line.host,
                    message=f"is not a host of the site {site.name}",
                    hint=known_names(line.host, hosts),
                )
            )  # fmt: skip
        elif hosts[line.host].drain:
            problems.append(
                Problem(
                    where=line.host_where, found=line.host, message="is drained and takes no guest",
                    hint="write its guests behind other hosts, or take drain out",
                )
            )  # fmt: skip
    if problems:
        raise PlanError(problems)


def _event(pattern: Pattern, site: SiteStack, title: str) -> Json:
    """The event without any pins, with the keys of a stack file."""
    clusters: dict[int, dict[str, Json]] = {}
    for node in pattern.nodes:
        clusters.setdefault(node.number, {})
    for number in clusters:
        clusters[number] = _groups([node for node in pattern.nodes if node.number == number])
    usual = Counter(json.dumps(groups) for groups in clusters.values()).most_common(1)[0][0]
    base: dict[str, Json] = json.loads(usual)
    overrides = {
        cluster_name(pattern.prefix, number): {"nodeGroups": differing}
        for number, groups in sorted(clusters.items())
        if (differing := _differing(groups, base))
    }
    missing = [number for number in range(1, pattern.highest + 1) if number not in clusters]
    return {
        **({"title": title} if title else {}),
        "on": site.name,
        "clusters": {
            "count": pattern.highest,
            "prefix": pattern.prefix,
            **({"retire": missing} if missing else {}),
        },
        "nodeGroups": {name: _brief(group) for name, group in base.items()},
        **({"overrides": overrides} if overrides else {}),
        **(
            {"instructor": {"image": pattern.instructor.image, "cores": 1}}
            if pattern.instructor
            else {}
        ),
        "network": _network(pattern),
        **_vmids(pattern, site),
    }


def _groups(nodes: Sequence[PatternNode]) -> dict[str, Json]:
    """Node groups of one cluster, as a stack file has them. Raises `PlanError`."""
    groups: dict[str, Json] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(node.group for node in nodes):
        members = sorted(
            (node for node in nodes if node.group == name), key=lambda node: node.position
        )
        first = members[0]
        for position, node in enumerate(members):
            why = ""
            if node.position != position:
                why = (
                    f"follows no {name} {position} of its cluster"
                    if position
                    else "is not the first"
                )
            elif node.index - position != first.index:
                why = "has an address that does not follow that of its neighbour"
            elif node.line.image != first.line.image:
                why = f"has another image than {first.line.name}"
            elif len(node.line.nics) != len(first.line.nics):
                why = f"has other NICs than {first.line.name}"
            if why:
                problems.append(
                    Problem(
                        where=node.line.where, found=node.line.name, message=why,
                        hint="nodes of a group are alike and numbered from 1: name another group",
                    )
                )  # fmt: skip
                break
        groups[name] = {
            "image": first.line.image,
            "count": len(members),
            "exposed": len(first.line.nics) == 2,
            "firstNumber": first.index,
        }
    if problems:
        raise PlanError(problems)
    for name, group in groups.items():
        if group["firstNumber"] == KNOWN_FIRST_NUMBERS.get(name):
            del group["firstNumber"]
    return groups


def _differing(groups: Mapping[str, Json], base: Mapping[str, Json]) -> dict[str, Json]:
    """What an override has to say so that the event's groups become these."""
    differing: dict[str, Json] = {}
    for name in dict.fromkeys([*base, *groups]):
        ours, usual = groups.get(name), base.get(name, {})
        if ours is None:
            differing[name] = {"count": 0}
            continue
        changed = {key: value for key, value in ours.items() if usual.get(key) != value}
        if changed:
            differing[name] = changed if usual else _brief(changed)
    return differing


def _brief(group: Json) -> Json:
    """A group without what goes without saying."""
    return {key: value for key, value in group.items() if _DEFAULTS.get(key) != value}


def _instructor(pattern: Pattern) -> Json:
    if pattern.instructor is None:
        return {}
    return {"instructor": {"image": pattern.instructor.image, "cores": 1}}


def _network(pattern: Pattern) -> Json:
    first, last = pattern.first_vlan, pattern.first_vlan + pattern.highest
    network: Json = {"vlans": f"{first}-{last}", "private": str(pattern.private)}
    if pattern.subnet_prefix != 24:
        network["subnetPrefix"] = pattern.subnet_prefix
    if pattern.first_exposed is not None:
        end = pattern.first_exposed + pattern.highest
        network["exposedAddresses"] = f"{pattern.first_exposed}-{end}"
    return network


def _vmids(pattern: Pattern, site: SiteStack) -> Json:
    first = site.site.vmids.first if pattern.first_vmid is None else pattern.first_vmid
    return {"vmids": f"{first}-{vmid(first, pattern.highest, LAST_INDEX)}"}


def _pinned(
    event: Json, pattern: Pattern, lines: Sequence[GuestLine], site: SiteStack, stack: str
) -> Json:
    """The event with the pins that it takes to have every guest on its host.

    Clusters whose guests stand where practicum would put them anyway stay without pins.
    """
    wanted = {line.name: line.host for line in lines}
    placed = _hosts(event, site, stack)
    elsewhere = {name for name, host in wanted.items() if placed.get(name) != host}
    numbers = {node.number for node in pattern.nodes if node.line.name in elsewhere}
    some = _with_pins(event, pattern, numbers, INSTRUCTOR in elsewhere)
    if _hosts(some, site, stack) == wanted:
        return some
    return _with_pins(event, pattern, {node.number for node in pattern.nodes}, True)


def _with_pins(event: Json, pattern: Pattern, numbers: set[int], instructor: bool) -> Json:
    """The event with the guests of some clusters pinned to the hosts that they are on."""
    overrides: dict[str, Json] = dict(event.get("overrides", {}))
    for node in pattern.nodes:
        if node.number in numbers:
            name = cluster_name(pattern.prefix, node.number)
            override = overrides.setdefault(name, {})
            pins = override.get("hosts", {})
            pin = {node.line.name.removeprefix(f"{name}-"): node.line.host}
            overrides[name] = {**override, "hosts": {**pins, **pin}}
    pinned = {**event}
    if overrides:
        pinned["overrides"] = dict(sorted(overrides.items()))
    if instructor and pattern.instructor:
        pinned["instructor"] = {**event["instructor"], "host": pattern.instructor.host}
    return pinned


def _hosts(event: Json, site: SiteStack, stack: str) -> Mapping[str, str]:
    """Host of each guest as practicum places them; nothing if the event does not fit so."""
    try:
        return {guest.name: guest.host for guest in _plan(event, site, stack).guests}
    except PlanError:
        return {}


def _plan(event: Json, site: SiteStack, stack: str) -> EventPlan:
    """The plan of an event that is in no file yet."""
    return plan_event(
        EventStack(
            name=stack,
            path=Path(f"Pulumi.{stack}.yaml"),
            locate=lambda _: None,
            event=_checked(event),
            site=site,
        )
    )


def _checked(event: Json) -> Event:
    """The event, if a stack file may say such a thing. Raises `PlanError` if not."""
    try:
        return Event.model_validate(event)
    except ValueError as error:  # what the models raise is one
        section = Section(name="event", data=event, file="")
        raise PlanError(translate(error, Event, section)) from None  # type: ignore[arg-type]


def _not_kept(lines: Sequence[GuestLine], plan: EventPlan) -> tuple[str, ...]:
    """What the plan has otherwise than the two files."""
    guests = {guest.name: guest for guest in plan.guests}
    other_macs = [
        line.name
        for line in lines
        if [nic.mac for nic in line.nics] != [nic.mac for nic in guests[line.name].interfaces]
    ]
    passwords = [line.name for line in lines if line.has_password]
    warnings = ["cores, memory and disks are not in the two files: fill them in"]
    if other_macs:
        warnings.append(f"MAC addresses of {len(other_macs)} guests are made anew from their VMIDs")
    if passwords:
        warnings.append(f"root passwords of {len(passwords)} guests are not taken over")
    return tuple(warnings)


def _stack_text(event: Json) -> str:
    """The text of a stack file; short mappings on one line, as people write them."""
    lines = ["# yaml-language-server: $schema=event.schema.json", "config:", "  practicum:event:"]
    for key, value in event.items():
        if key in ("nodeGroups", "overrides", "network"):
            lines.append(f"    {key}:")
            lines += [f"      {_word(name)}: {_flow(each)}" for name, each in value.items()]
        else:
            lines.append(f"    {key}: {_flow(value)}")
    return "\n".join([*lines, ""])


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _word(value)
    return json.dumps(value)


def _word(text: str) -> str:
    """A text as YAML, quoted where a reader might take it for something else."""
    bare = _BARE.fullmatch(text) and text not in _NOT_TEXT
    return text if bare else json.dumps(text, ensure_ascii=False)
