"""An event's network alone, without systems: by the lab, by `ip -batch`, by Mininet.

Each arm has guests that are no more than a namespace with its cards, and plugs in the same cards.
`ip -batch` is the bound: the kernel's own work for the lab's model, in as few processes as can be.
Mininet has one bridge for each network instead of one on each host, so it has less to make.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.cards import Card
from bench.processes import BenchError, run
from lab.network import system
from lab.network.plumb import Plumb

PREFIX = f"practicum-bench-{os.getpid()}-"
AT_ONCE = 4
SYSTEM_PYTHON = "/usr/bin/python3"
MININET = Path(__file__).with_name("mininet_arm.py")
LIMIT_S = 600

Times = tuple[float, float]
"""Seconds to make everything, and to remove it."""


def by_the_lab(folder: Path, cards: Sequence[Card]) -> Times:
    """The lab's own plumbing, card by card, as guests start."""
    return asyncio.run(_by_the_lab(folder, cards))


async def _by_the_lab(folder: Path, cards: Sequence[Card]) -> Times:
    plumb = Plumb(folder)
    guests = {card.vmid: f"{PREFIX}{card.vmid}" for card in cards}
    some = asyncio.Semaphore(AT_ONCE)

    async def start(vmid: int, name: str) -> None:
        async with some:
            await system.run("ip", "netns", "add", name)
            for card in cards:
                if card.vmid == vmid:
                    await plumb.attach(
                        vmid, card.nic, card.host, card.bridge, card.vlan, card.mac, False, name
                    )

    begun = time.perf_counter()
    try:
        await plumb.ensure_hosts(dict.fromkeys(card.host for card in cards))
        await asyncio.gather(*(start(vmid, name) for vmid, name in guests.items()))
        made = time.perf_counter()
    finally:
        ended = time.perf_counter()
        _batch("".join(f"netns delete {name}\n" for name in guests.values()))
        await plumb.teardown()
    return made - begun, time.perf_counter() - ended


def by_ip(cards: Sequence[Card]) -> Times:
    """`ip -batch`, once for all namespaces, once in each host, once in the switch."""
    hosts = {card.host: f"{PREFIX}{card.host}" for card in cards}
    guests = {card.vmid: f"{PREFIX}{card.vmid}" for card in cards}
    switch = f"{PREFIX}switch"
    names = [*hosts.values(), *guests.values(), switch]
    begun = time.perf_counter()
    try:
        _batch("".join(f"netns add {name}\n" for name in names))
        ports: list[tuple[str, str]] = []
        for number, (host, name) in enumerate(hosts.items()):
            here = [card for card in cards if card.host == host]
            networks = list(dict.fromkeys(card.network for card in here))
            ports += [(network, f"p{number}.{network}") for network in networks]
            _batch(_host_lines(number, here, networks, guests, switch), name)
        _batch(_switch_lines(ports), switch)
        made = time.perf_counter()
    finally:
        ended = time.perf_counter()
        _batch("".join(f"netns delete {name}\n" for name in names), check=False)
    return made - begun, time.perf_counter() - ended


def _host_lines(
    number: int,
    cards: Sequence[Card],
    networks: Sequence[str],
    guests: dict[int, str],
    switch: str,
) -> str:
    lines = []
    for network in networks:
        lines += [
            f"link add {network} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {network} up",
            f"link add t.{network} type veth peer name p{number}.{network} netns {switch}",
            f"link set t.{network} master {network} up",
        ]
    for card in cards:
        tap = f"tap{card.vmid}i{card.nic}"
        lines += [
            f"link add {tap} type veth peer name eth{card.nic} address {card.mac} "
            f"netns {guests[card.vmid]}",
            f"link set {tap} master {card.network} up",
        ]
    return "".join(f"{line}\n" for line in lines)


def _switch_lines(ports: Sequence[tuple[str, str]]) -> str:
    lines = []
    for network in dict.fromkeys(network for network, _ in ports):
        lines.append(f"link add {network} type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        lines.append(f"link set {network} up")
    lines += [f"link set {port} master {network} up" for network, port in ports]
    return "".join(f"{line}\n" for line in lines)


def _batch(lines: str, namespace: str | None = None, *, check: bool = True) -> None:
    where = ["-n", namespace] if namespace else []
    force = [] if check else ["-force"]
    done = subprocess.run(
        ["ip", *where, *force, "-batch", "-"], input=lines, text=True, capture_output=True
    )
    if check and done.returncode != 0:
        raise BenchError(f"ip -batch failed: {done.stderr.strip()[-300:]}")


def mininet_version() -> str | None:
    """The version of Debian's package mininet; None where it, or brctl, is not installed."""
    if shutil.which("dpkg-query") is None or shutil.which("brctl") is None:
        return None
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "mininet"]
    told = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return told[1] if told[:1] == ["installed"] else None


def by_mininet(folder: Path, cards: Sequence[Card]) -> tuple[float, float, float]:
    """Seconds up and down, and MiB of memory: a host for each guest, a Linux bridge for each
    network; in namespaces of its own, since its bridges would be the machine's."""
    topology = folder / "cards.json"
    topology.write_text(json.dumps([[card.vmid, card.network] for card in cards]))
    command = ["unshare", "--net", "--mount", SYSTEM_PYTHON, str(MININET), str(topology)]
    done = run(command, folder=folder, variables=dict(os.environ), limit_s=LIMIT_S)
    told = json.loads(done.output.splitlines()[-1])
    return told["up"], told["down"], told["memoryMib"]
