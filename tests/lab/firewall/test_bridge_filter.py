"""Bridged packets and the packet filter: a module of the kernel that may have to be loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.network import system
from lab.network.system import NetworkError

CALLS = ("iptables", "ip6tables", "arptables")


def test_a_module_that_is_loaded_leaves_the_machines_bridges_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "bridge"
    ran: list[tuple[str, ...]] = []

    async def load(*command: str) -> str:
        ran.append(command)
        settings.mkdir()
        for name in CALLS:
            (settings / f"bridge-nf-call-{name}").write_text("1\n")
        return ""

    monkeypatch.setattr(system, "BRIDGE_SETTINGS", settings)
    monkeypatch.setattr(system, "run", load)
    asyncio.run(system.ensure_bridge_filter())
    asyncio.run(system.ensure_bridge_filter())
    assert ran == [("modprobe", "br_netfilter")]
    assert {(settings / f"bridge-nf-call-{name}").read_text() for name in CALLS} == {"0\n"}


def test_a_kernel_without_it_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*command: str) -> str:
        raise NetworkError(f"{command[0]}: Module br_netfilter not found")

    monkeypatch.setattr(system, "BRIDGE_SETTINGS", tmp_path / "bridge")
    monkeypatch.setattr(system, "run", fail)
    with pytest.raises(NetworkError, match=r"this kernel has no br_netfilter.*not found"):
        asyncio.run(system.ensure_bridge_filter())
