"""Backups of guests: run, read, keep, prune. Importing the room registers its handlers.

A backup is a volume without a file behind it: its row has `backup`, what the archive holds.
"""

from __future__ import annotations

from lab.vzdump import prune, read, run

__all__ = ["prune", "read", "run"]
