"""Mininet's part of the bench of guests, run by the system's own Python:
`python3 mininet_arm.py CARDS`, a JSON list of [guest, network] for each card."""

from __future__ import annotations

import json
import sys
import time

from mininet.net import Mininet
from mininet.node import Host
from mininet.nodelib import LinuxBridge


def available_mib() -> float:
    """Memory that is free or can be freed, in MiB."""
    with open("/proc/meminfo") as lines:
        rows = dict(line.split(":") for line in lines)
    return int(rows["MemAvailable"].split()[0]) / 1024


def main(path: str) -> None:
    with open(path) as file:
        cards = json.load(file)
    before = available_mib()
    begun = time.perf_counter()
    net = Mininet(
        switch=LinuxBridge, host=Host, controller=None, waitConnected=False, autoStaticArp=False
    )
    networks = dict.fromkeys(network for _, network in cards)
    switches = {name: net.addSwitch(f"s{number}") for number, name in enumerate(networks, 1)}
    guests = dict.fromkeys(guest for guest, _ in cards)
    hosts = {each: net.addHost(f"h{number}") for number, each in enumerate(guests, 1)}
    for guest, network in cards:
        net.addLink(hosts[guest], switches[network])
    net.start()
    up = time.perf_counter() - begun
    used = before - available_mib()
    begun = time.perf_counter()
    net.stop()
    down = time.perf_counter() - begun
    print(json.dumps({"up": up, "down": down, "memoryMib": used}))


if __name__ == "__main__":
    main(sys.argv[1])
