"""Lines of the two files, read and checked by themselves: every mistake by file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from event.problems import PlanError, Problem, Where, known_names, quoted
from plan.two_files import CLUSTERS_FILE, DEPLOYMENT_FILE, DHCP, NONE, TwoFiles

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_TRUNK = re.compile(r"\d{1,4}(-\d{1,4})?(\+\d{1,4}(-\d{1,4})?)*")
_FIELDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NicField:
    """One mac/vlan/ip. `vlan` is None for untagged and for a trunk."""

    mac: str
    vlan: int | None
    trunk: bool
    address: IPv4Address | None
    dhcp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestLine:
    """One guest, with its host from the other file."""

    where: Where
    name: str
    image: str
    has_password: bool
    nics: tuple[NicField, ...]
    host: str
    host_where: Where


def read_lines(files: TwoFiles, folder: str) -> list[GuestLine]:
    """All guests in the order of the clusters file. Raises `PlanError` with every problem."""
    problems: list[Problem] = []
    guests = list(_guests(files.clusters, f"{folder}/{CLUSTERS_FILE}", problems))
    names = [name for _, name, _, _, _ in guests]
    hosts = _hosts(files.deployment, f"{folder}/{DEPLOYMENT_FILE}", set(names), problems)
    for where, name, *_ in guests:
        if name not in hosts:
            problems.append(
                Problem(
                    where=where, found=name, message=f"is on no line of {DEPLOYMENT_FILE}",
                    hint="write it behind its host there",
                )
            )  # fmt: skip
    if problems:
        raise PlanError(problems)
    return [
        GuestLine(
            where=where, name=name, image=image, has_password=password, nics=nics,
            host=hosts[name][0], host_where=hosts[name][1],
        )
        for where, name, image, password, nics in guests
    ]  # fmt: skip


_Guest = tuple[Where, str, str, bool, tuple[NicField, ...]]


def _guests(text: str, file: str, problems: list[Problem]) -> Iterator[_Guest]:
    first: dict[str, int] = {}
    for where, fields in _fields(text, file):
        if len(fields) != _FIELDS:
            problems.append(
                Problem(
                    where=where, message=f"has {len(fields)} words",
                    hint="write: hostname image root-password mac/vlan/ip,...",
                )
            )  # fmt: skip
            continue
        name, image, password, nics = fields
        for value, what in ((name, "host name"), (image, "name of an image")):
            if not _NAME.fullmatch(value):
                problems.append(
                    Problem(
                        where=where, found=quoted(value), message=f"is no {what}",
                        hint="use lower-case letters, digits and hyphens",
                    )
                )  # fmt: skip
        if name in first:
            problems.append(
                Problem(
                    where=where, found=name, message=f"is on line {first[name]} as well",
                    hint="keep one of them",
                )
            )  # fmt: skip
            continue
        first[name] = where.line
        read = [_nic(nic, where, problems) for nic in nics.split(",")]
        kept = tuple(nic for nic in read if nic is not None)
        # The password itself goes no further than this line.
        yield where, name, image, password.strip("-") != "", kept


def _nic(text: str, where: Where, problems: list[Problem]) -> NicField | None:
    parts = text.split("/")
    why = ""
    if len(parts) != 3:
        why = "is no mac/vlan/ip"
    elif not _MAC.fullmatch(parts[0]):
        why = "has no MAC address"
    elif parts[1] != NONE and not _TRUNK.fullmatch(parts[1]):
        why = "has no VLAN"
    elif parts[2] not in (NONE, DHCP) and _address(parts[2]) is None:
        why = "has no IPv4 address"
    if why:
        problems.append(
            Problem(
                where=where, found=quoted(text), message=why,
                hint="write e.g. 02:00:01:86:A0:01/101/10.0.1.1; untagged is -, no address is -",
            )
        )  # fmt: skip
        return None
    mac, vlan, address = parts
    return NicField(
        mac=mac.upper(),
        vlan=int(vlan) if vlan.isdecimal() else None,
        trunk=vlan != NONE and not vlan.isdecimal(),
        address=_address(address),
        dhcp=address == DHCP,
    )


def _hosts(
    text: str, file: str, known: set[str], problems: list[Problem]
) -> dict[str, tuple[str, Where]]:
    """Host of each guest, and where that is written."""
    hosts: dict[str, tuple[str, Where]] = {}
    for where, (host, *names) in _fields(text, file):
        for name in names:
            if name not in known:
                problems.append(
                    Problem(
                        where=where, found=quoted(name), message=f"is no guest of {CLUSTERS_FILE}",
                        hint=known_names(name, sorted(known)),
                    )
                )  # fmt: skip
            elif name in hosts:
                problems.append(
                    Problem(
                        where=where, found=name, message=f"is on {hosts[name][0]} already",
                        hint="write it behind one host",
                    )
                )  # fmt: skip
            else:
                hosts[name] = (host, where)
    return hosts


def _fields(text: str, file: str) -> Iterator[tuple[Where, list[str]]]:
    """Lines that are neither blank nor comments, split into words."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield Where(file=file, line=number), words


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None
