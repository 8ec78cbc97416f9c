"""What `connect` carries between its standard input and output and a port of a guest."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from lab.engines.lxc.connect import carry

ANSWER = b"SSH-2.0-practicum\r\n"


def carried(given: int) -> tuple[bytes, bytes]:
    """What a guest hears that answers and hangs up after the last byte, and what is told."""
    here, there = socket.socketpair()
    heard = bytearray()

    def guest() -> None:
        with there:
            there.sendall(ANSWER)
            while piece := there.recv(1 << 16):
                heard.extend(piece)

    reader, writer = os.pipe()
    answering = threading.Thread(target=guest)
    answering.start()
    try:
        with here:
            carry(here, given, writer)
    finally:
        os.close(writer)
        answering.join()
    with os.fdopen(reader, "rb") as told:
        return bytes(heard), told.read()


@pytest.mark.parametrize("words", [b"", b"hello\n" * 20000])
def test_a_file_is_carried_to_its_end_and_the_answer_comes_back(
    words: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "words"
    file.write_bytes(words)
    with file.open("rb") as given:
        assert carried(given.fileno()) == (words, ANSWER)


def test_dev_null_is_an_input_without_a_word() -> None:
    with Path(os.devnull).open("rb") as given:
        assert carried(given.fileno()) == (b"", ANSWER)


def test_a_pipe_is_carried_until_its_writer_closes_it() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"hello")
    os.close(writer)
    with os.fdopen(reader, "rb") as given:
        assert carried(given.fileno()) == (b"hello", ANSWER)
