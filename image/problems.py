"""The one error of this room: a sentence for the person at the keyboard."""

from __future__ import annotations


class ImageError(Exception):
    """Something outside this program stops the work; the text says what and what to do."""
