"""The log of a host's firewall: who takes its notes in."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from lab.firewall import journal
from lab.firewall.journal import Journal


def test_a_host_is_listened_to_once_however_many_ask_for_it_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []

    def opened(_namespace: Path) -> socket.socket:
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        return made[-1]

    async def ask() -> None:
        notes = Journal(tmp_path)
        await asyncio.gather(*(notes.listen("pve01", tmp_path) for _ in range(3)))
        notes.close()

    monkeypatch.setattr(journal, "_socket_in", opened)
    asyncio.run(ask())
    assert len(made) == 1
