"""Hosts: the rows of a site's file unfolded, in declared order, which is their identity."""

from __future__ import annotations

from dataclasses import dataclass

from event.hosts import expand_hosts
from event.model import Site

MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """One container host. Capacities are what may be promised to guests, overcommit included."""

    name: str
    position: int  # in declared order, from 0; the VMID of a per-host template counts with it
    row: int  # index of the row in the site's file that declares it
    share: int
    drain: bool
    cores: float
    memory_mib: float
    disk_gib: float
    ports: tuple[str, ...]


def unfold_hosts(site: Site) -> tuple[HostSpec, ...]:
    """All hosts of a site in declared order; a name that two rows declare appears twice."""
    over = site.overcommit
    names = [(row, name) for row, host in enumerate(site.hosts) for name in expand_hosts(host.name)]
    return tuple(
        HostSpec(
            name=name,
            position=position,
            row=row,
            share=host.share,
            drain=host.drain,
            cores=host.cores * over.cores,
            memory_mib=host.memory_gib * MIB_PER_GIB * over.memory,
            disk_gib=host.disk_gib * over.disk,
            ports=tuple(host.ports),
        )
        for position, (row, name) in enumerate(names)
        for host in (site.hosts[row],)
    )
