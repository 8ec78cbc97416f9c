"""A stream from standard input and output to a port of a machine that runs.

Nobody outside a machine can make a socket inside it, and the lab's hosts have no addresses in the
guests' networks. So this process takes a network namespace of its own with one leg in a network
of the guest, where it talks to the address that every card has by itself, IPv6's link-local one.
The leg has no other address, forwards nothing, and goes with this process.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
import subprocess
import time
from ipaddress import IPv6Address
from pathlib import Path

from lab.engines.lxc.connect import CONNECT_S, carry
from lab.engines.lxc.holder import Holder
from lab.engines.qemu.process import Process
from lab.errors import TaskError
from lab.network import system
from lab.network.names import Namespaces, Port, port_of

_NEW_NETWORK = 0x40000000
_LEG = "eth0"
_NOT_YET = (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ENETDOWN)


def connect(state: Path, vmid: int, port: int) -> bool:
    """Carry bytes both ways until one side ends; False when no machine has that number.

    `TaskError` when nobody answers there.
    """
    holder = Holder(state / "guests")
    if not holder.adopt() or Process(holder, vmid).pid is None:
        return False
    found = asyncio.run(_cards(Namespaces(state), vmid))
    if not found:
        raise TaskError(f"guest {vmid} has no network card that is plugged in")
    card = found[0]
    try:
        _make_leg(Namespaces(state).host(card.host), card.network)
        there = _joined(own_address(card.mac), port)
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.strerror if isinstance(error, OSError) else error.stderr.strip()
        raise TaskError(
            f"guest {vmid}, port {port}: {said or error}; it is asked at the IPv6 address that its "
            f"card net{card.nic} has by itself"
        ) from None
    try:
        with there:
            there.settimeout(None)
            carry(there, 0, 1)
    except OSError as error:
        raise TaskError(f"guest {vmid}, port {port}: {error.strerror or error}") from None
    return True


def own_address(mac: str) -> str:
    """The link-local address that follows from a card's MAC."""
    octets = bytes.fromhex(mac.replace(":", ""))
    number = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + number))


async def _cards(names: Namespaces, vmid: int) -> list[Port]:
    """A guest's cards; those that no firewall stands before come first."""
    found = []
    for name in system.present(names.prefix):
        host = name.removeprefix(names.prefix)
        for link in await system.links(name):
            port = port_of(host, link["ifname"], link.get("ifalias", ""))
            if port is not None and port.vmid == vmid and link.get("master"):
                found.append(port)
    return sorted(found, key=lambda port: (port.firewall, port.nic))


def _make_leg(host: str, network: str) -> None:
    """Leave for a namespace with nothing but a leg in a network of a host."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "no namespace can be made")
    ours = f"c{os.getpid()}"
    _run("ip", "-n", host, "link", "add", ours, "type", "veth",
         "peer", "name", _LEG, "netns", str(os.getpid()))  # fmt: skip
    settings = Path("/proc/sys/net/ipv6/conf") / _LEG
    (settings / "disable_ipv6").write_text("0")
    (settings / "accept_ra").write_text("0")
    (settings / "accept_dad").write_text("0")  # nobody else has an address that follows from ours
    _run("ip", "link", "set", _LEG, "up")
    _run("ip", "-n", host, "link", "set", ours, "master", network, "up")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _joined(address: str, port: int) -> socket.socket:
    """A connection; the leg's own address may take a moment."""
    until = time.monotonic() + CONNECT_S
    while True:
        there = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        there.settimeout(max(until - time.monotonic(), 0.1))
        try:
            there.connect((address, port, 0, socket.if_nametoindex(_LEG)))
        except OSError as error:
            there.close()
            if error.errno not in _NOT_YET or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return there
