"""What runs behind a guest: nothing but a status, or something that really boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.engines.base import Engine


def engine_of(lab: Lab) -> Engine:
    """The engine of a lab; without one, the engine that runs nothing."""
    if lab.engine is None:
        from lab.engines.none import NoEngine  # it reads the guests' room

        lab.engine = NoEngine()
    return lab.engine
