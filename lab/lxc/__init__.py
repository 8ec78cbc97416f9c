"""Containers: their records, everything the API does to them, and how they look in lists.

There is no engine behind containers: a started one has its status and does no work. Importing this
room registers its handlers.
"""

from __future__ import annotations

from lab.lxc import (
    clone,
    create,
    destroy,
    formats,
    migrate,
    move,
    power,
    read,
    resize,
    snapshots,
    template,
    update,
)
from lab.lxc.read import resource_row

__all__ = [
    "clone",
    "create",
    "destroy",
    "formats",
    "migrate",
    "move",
    "power",
    "read",
    "resize",
    "resource_row",
    "snapshots",
    "template",
    "update",
]
