"""Loads: what an event asks of hosts and storages, and what they have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Need against have of one host or of the whole; cores may be promised beyond hardware."""

    need: float
    have: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """What an event asks of one host."""

    name: str
    drain: bool
    guests: int
    cores: Load
    memory_mib: Load
    disk_gib: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLoad:
    """What an event asks of a storage that all hosts share."""

    name: str
    guests: int
    need_gib: float
    have_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Demand against capacity of the hosts that are not drained."""

    clusters: int
    guests: int
    hosts: int
    cores: Load
    memory_mib: Load
    disk_gib: Load
    survives_loss_of_any_host: bool
    worst_loss: str | None  # the host whose loss cannot be absorbed, if any
