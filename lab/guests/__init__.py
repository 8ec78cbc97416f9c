"""QEMU guests: their records, everything the API does to them, and how they look in lists.

Importing the room registers its handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.guests import (
    agent,
    clone,
    cloudinit,
    conditions,
    create,
    destroy,
    formats,
    migrate,
    monitor,
    power,
    read,
    resize,
    snapshots,
    update,
)
from lab.guests.read import resource_row
from lab.guests.record import find_row, missing

if TYPE_CHECKING:
    from lab.app import Lab


def guest(lab: Lab, vmid: int | str, node: str | None = None) -> dict[str, Any]:
    """A guest's row; 500 when it does not exist, or not on `node`."""
    row = find_row(lab, vmid, node)
    if row is None:
        raise missing(vmid, node or lab.nodes()[0]["name"])
    return row


__all__ = [
    "agent",
    "clone",
    "cloudinit",
    "conditions",
    "create",
    "destroy",
    "formats",
    "guest",
    "migrate",
    "monitor",
    "power",
    "read",
    "resize",
    "resource_row",
    "snapshots",
    "update",
]
