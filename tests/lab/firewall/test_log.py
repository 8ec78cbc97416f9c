"""The firewall's log through the API: a guest's part of it, by page and by time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from lab.app import Lab
from lab.call import Call
from lab.firewall.journal import Journal
from lab.firewall.packet_text import packet_text
from lab.sections.firewall_log import read_guest_log, read_host_log

LINES = [
    f"{vmid} 6 tap{vmid}i0-OUT 30/Nov/2026:00:00:{second:02d} +0000 policy DROP: SRC=192.0.2.1"
    for second, vmid in enumerate((100, 1000, 100, 100))
]
SECOND_0 = 1795996800


def call(tmp_path: Path, **params: Any) -> Call:
    tmp_path.joinpath("pve1.log").write_text("".join(f"{line}\n" for line in LINES))
    lab = SimpleNamespace(network=SimpleNamespace(journal=Journal(tmp_path)))
    return Call(
        lab=cast(Lab, lab), method="GET", path="", pattern="", user="root@pam",
        params={"node": "pve1", **params},
    )  # fmt: skip


def answer(work: Awaitable[Any]) -> list[dict[str, Any]]:
    async def waited() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await work
        return found

    return asyncio.run(waited())


def texts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["t"] for line in lines]


def test_a_guest_is_shown_its_own_lines_and_a_host_all(tmp_path: Path) -> None:
    asked = call(tmp_path, vmid="100")
    assert texts(answer(read_guest_log(asked))) == [LINES[0], LINES[2], LINES[3]]
    assert asked.extra["total"] == 3
    assert len(answer(read_host_log(call(tmp_path)))) == 4


def test_a_page_and_a_span_of_time_can_be_asked_for(tmp_path: Path) -> None:
    page = answer(read_guest_log(call(tmp_path, vmid=100, start=1, limit=1)))
    assert page == [{"n": 2, "t": LINES[2]}]
    everything = answer(read_guest_log(call(tmp_path, vmid=100, limit=0)))
    assert len(everything) == 3
    span = call(tmp_path, vmid=100, since=SECOND_0 + 1, until=SECOND_0 + 2)
    assert texts(answer(read_guest_log(span))) == [LINES[2]]


def test_packets_of_both_versions_are_told_in_words() -> None:
    four = bytes.fromhex("450000280000000040110000c6336405c633640a 0035 0050 0014 0000")
    assert packet_text(b"", four) == (
        "SRC=198.51.100.5 DST=198.51.100.10 LEN=40 TTL=64 PROTO=UDP SPT=53 DPT=80"
    )
    six = bytes.fromhex("6000000000083aff") + b"\0" * 15 + b"\1" + b"\0" * 15 + b"\2\x87\0"
    assert packet_text(b"\xff" * 6 + b"\2" * 6 + b"\x86\xdd", six) == (
        "MAC=ff:ff:ff:ff:ff:ff:02:02:02:02:02:02:86:dd SRC=::1 DST=::2 LEN=48 HOPLIMIT=255 "
        "PROTO=ICMPv6 TYPE=135 CODE=0"
    )
    assert packet_text(b"", b"") == ""
