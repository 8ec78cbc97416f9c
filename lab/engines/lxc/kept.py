"""Where other programs of ours keep what they have made for the lab: images, compiled programs."""

from __future__ import annotations

import os
from pathlib import Path


def kept(name: str) -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/practicum/<name>."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "practicum" / name
