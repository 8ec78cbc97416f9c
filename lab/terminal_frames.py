"""What a terminal's client sends: `0:LENGTH:keys`, `1:COLUMNS:ROWS:`, and `2` that keeps the line.

It is a stream: a WebSocket's messages cut it anywhere. Nothing here reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass

KEYS, SIZE = b"0"[0], b"1"[0]
LONGEST_NUMBER = 20  # characters that may come before a colon; what is longer is no number


@dataclass(frozen=True, slots=True)
class Size:
    """The client's window has another size."""

    columns: int
    rows: int


class Frames:
    """Cuts the stream into keys and sizes; what is neither is skipped, as Proxmox VE does."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._keys = 0  # bytes of keys that are still to come

    def feed(self, piece: bytes) -> list[bytes | Size]:
        """What is complete with the next piece; keys are told as they come."""
        self._left += piece
        found: list[bytes | Size] = []
        while self._left:
            if self._keys:
                keys = bytes(self._left[: self._keys])
                del self._left[: len(keys)]
                self._keys -= len(keys)
                found.append(keys)
            elif self._left[0] not in (KEYS, SIZE):
                del self._left[0]
            elif not self._header(found):
                break
        return found

    def _header(self, found: list[bytes | Size]) -> bool:
        """Take in the begin of a frame; False when it is not all there yet."""
        wanted = 1 if self._left[0] == KEYS else 2
        words = bytes(self._left[2:]).split(b":", wanted)
        numbers = words[:-1] if len(words) > wanted else words
        if any(len(word) > LONGEST_NUMBER for word in numbers):
            del self._left[: 2 + LONGEST_NUMBER]
            return True
        if len(words) <= wanted:
            return False
        del self._left[: 2 + sum(len(word) + 1 for word in numbers)]
        if all(word.isdigit() for word in numbers):
            if wanted == 1:
                self._keys = int(numbers[0])
            else:
                found.append(Size(*(int(word) for word in numbers)))
        return True
