"""A storage on which nothing more fits: what its tools say then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import failure
from lab.storage import definitions
from lab.storage.definitions import Config

if TYPE_CHECKING:
    from lab.app import Lab


def check(lab: Lab, config: Config, volid: str, node: str) -> None:
    """500 in the words of the storage's own tool when a fault says that the storage is full."""
    storage, _, name = volid.partition(":")
    rule = lab.faults.full(storage, node)
    if rule is None:
        return
    rule.fired += 1
    if config["type"] == "lvmthin":
        pool = f"{config.get('vgname')}/{config.get('thinpool')}"
        raise failure(
            f"lvcreate '{config.get('vgname')}/{name}' error: Cannot create new thin volume, free "
            f"space in thin pool {pool} reached threshold."
        )
    if config["type"] == "lvm":
        raise failure(f"lvcreate '{config.get('vgname')}/{name}' error: insufficient free space")
    path = definitions.location(lab, volid)
    raise failure(f"unable to create image: qemu-img: {path}: No space left on device")
