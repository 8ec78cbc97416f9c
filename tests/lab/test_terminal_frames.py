"""The stream of a terminal's client, however a connection cuts it."""

from __future__ import annotations

import random

import pytest

from lab.terminal_frames import Frames, Size

STREAM = b"1:80:24:0:3:ls\r20:5:a:1:22" + "0:4:\u00e9\u00e9".encode() + b"1:132:43:"
KEYS = b"ls\ra:1:2" + "\u00e9\u00e9".encode()


def cut(stream: bytes, *places: int) -> tuple[bytes, list[Size]]:
    frames, keys, sizes, start = Frames(), b"", [], 0
    for place in (*places, len(stream)):
        for each in frames.feed(stream[start:place]):
            if isinstance(each, Size):
                sizes.append(each)
            else:
                keys += each
        start = place
    return keys, sizes


def test_keys_sizes_and_signs_of_life_are_told_apart() -> None:
    assert cut(STREAM) == (KEYS, [Size(80, 24), Size(132, 43)])


def test_it_does_not_matter_where_messages_end() -> None:
    chance = random.Random(7)
    for place in range(len(STREAM)):
        assert cut(STREAM, place) == cut(STREAM)
    for _ in range(200):
        places = sorted(chance.choices(range(len(STREAM)), k=5))
        assert cut(STREAM, *places) == cut(STREAM), places


@pytest.mark.parametrize(
    "noise", [b"0:x:", b"0:" + b"9" * 40, b"1:a:b:", b"\xff\x00", b"2222", b"1:" + b"z" * 60]
)
def test_what_is_no_frame_is_skipped(noise: bytes) -> None:
    keys, sizes = cut(b"0:1:a" + noise + b"\n\n\n0:1:b1:80:24:")
    assert keys.startswith(b"a")
    assert keys.endswith(b"b")
    assert sizes[-1:] == [Size(80, 24)]
