"""Rows of hosts in folded form: `pve[01-06,08]` stands for pve01 … pve06 and pve08."""

from __future__ import annotations

import re

from event.rule import RefusedError, Rule

MAX_HOSTS = 512
"""Hosts that one pattern, and one site, may stand for."""

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_FOLDED = re.compile(r"([a-z][a-z0-9-]*)\[([0-9,-]+)\]([a-z0-9-]*)")
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def expand_hosts(pattern: str) -> tuple[str, ...]:
    """The names that a pattern stands for, in its order; `RefusedError` if it stands for none.

    Numbers keep the zeros that their range starts with, as in ClusterShell's folded sets.
    """
    if not any(bracket in pattern for bracket in "[]"):
        return (_host_name(pattern),)
    folded = _FOLDED.fullmatch(pattern)
    if folded is None:
        if pattern != pattern.lower():
            raise RefusedError("has capital letters", f"write {pattern.lower()}")
        raise RefusedError("is no row of hosts", "write one bracket of numbers, e.g. pve[01-06,08]")
    before, ranges, after = folded.groups()
    names: list[str] = []
    for part in ranges.split(","):
        names += [_host_name(f"{before}{number}{after}") for number in _numbers(part)]
        if len(names) > MAX_HOSTS:
            raise _too_many(len(names))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RefusedError(f"names {twice[0]} twice", "write every number once")
    return tuple(names)


def _numbers(part: str) -> list[str]:
    """The numbers of one range `01-06` or of a single number, padded with zeros."""
    match = _RANGE.fullmatch(part)
    if match is None:
        raise RefusedError(
            f'has "{part}" in its bracket', "write numbers and ranges, e.g. pve[01-06,08]"
        )
    first, last = match[1], match[2] or match[1]
    if len(first) > len(last) or (first.startswith("0") and len(first) != len(last)):
        raise RefusedError(
            f"has a range {part} of numbers of unlike length",
            f"write {first.zfill(len(last))}-{last.zfill(len(first))}",
        )
    if int(first) > int(last):
        raise RefusedError(f"has a range {part} that runs backwards", f"write {last}-{first}")
    count = int(last) - int(first) + 1
    if count > MAX_HOSTS:
        raise _too_many(count)
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _host_name(name: str) -> str:
    if len(name) > 63:
        raise RefusedError(f"gives a name of {len(name)} characters", "write at most 63")
    if not _NAME.fullmatch(name):
        if not name:
            raise RefusedError("is empty")
        short, dot, _ = name.partition(".")
        if dot and _NAME.fullmatch(short):
            raise RefusedError("has a domain", f"write {short}, as Proxmox VE names the host")
        if _NAME.fullmatch(name.lower()):
            raise RefusedError("has capital letters", f"write {name.lower()}")
        raise RefusedError("is no host name")
    return name


def _too_many(count: int) -> RefusedError:
    return RefusedError(f"stands for {count} hosts", f"write a row of at most {MAX_HOSTS}")


def _parse(text: str) -> str:
    if len(text) > 200:
        raise RefusedError(f"has {len(text)} characters", "write at most 200")
    expand_hosts(text)
    return text


HOST_PATTERN = Rule(
    allowed="a host name in lower case, or a row such as pve[01-06,08]",
    parse=_parse,
    example="pve[01-06]",
    pattern=r"^[a-z][a-z0-9-]*(\[[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\][a-z0-9-]*)?$",
    max_length=200,
)
