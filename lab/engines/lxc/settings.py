"""From a guest's configuration to what LXC, cloud-init and the network are given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.guests.cloudinit import documents
from lab.guests.nets import is_net, parse_net, trunk_vlans

SEED = "var/lib/cloud/seed/nocloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A network card that is to be plugged in."""

    number: int
    bridge: str
    vlan: int | None
    mac: str
    firewall: bool
    trunks: tuple[int, ...] = ()


def cards(config: dict[str, Any]) -> list[Card]:
    """The cards that have a bridge and a cable, by number."""
    found = []
    for key in sorted(filter(is_net, config), key=lambda key: int(key[3:])):
        net = parse_net(config[key])
        if net.get("bridge") and not net.get("link_down"):
            tag = net.get("tag")
            found.append(
                Card(
                    number=int(key[3:]),
                    bridge=net["bridge"],
                    vlan=int(tag) if tag else None,
                    mac=str(net["macaddr"]).lower(),
                    firewall=bool(net.get("firewall")),
                    trunks=tuple(trunk_vlans(str(net.get("trunks") or ""))),
                )
            )
    return found


def cores(config: dict[str, Any]) -> int:
    """Cores of all sockets."""
    return int(config.get("cores", 1)) * int(config.get("sockets", 1))


def memory_mib(config: dict[str, Any]) -> int:
    """Memory in MiB."""
    text = str(config.get("memory", 512))
    return int(text.partition("current=")[2] or text)


def files(config: dict[str, Any], vmid: int) -> dict[str, str]:
    """What cloud-init reads, and the resolver's configuration, by path in the guest."""
    found = documents(config, vmid)
    servers = str(config.get("nameserver", "")).split()
    domains = str(config.get("searchdomain", "")).strip()
    resolver = "".join(f"nameserver {server}\n" for server in servers)
    if domains:
        resolver += f"search {domains}\n"
    return {
        f"{SEED}/user-data": found["user"],
        f"{SEED}/meta-data": found["meta"],
        f"{SEED}/network-config": found["network"],
        "etc/resolv.conf": resolver,
    }


def lxc_config(
    vmid: int,
    config: dict[str, Any],
    *,
    lower: Sequence[str],
    upper: Path,
    home: Path,
    seccomp: Path,
    limits: Mapping[str, str],
    rootless: bool = False,
) -> str:
    """The container's configuration for LXC; `lower` is the nearest layer first.

    `limits` are files of its control group of version 2, and what they are to say.
    """
    layers = ":".join([*lower, str(upper)])
    name = str(config.get("name", f"VM{vmid}")).partition(".")[0]
    lines = [
        "lxc.include = /usr/share/lxc/config/common.conf",
        f"lxc.uts.name = {name}",
        f"lxc.rootfs.path = overlay:{layers}",
        *(["lxc.rootfs.options = userxattr"] if rootless else []),
        "lxc.apparmor.profile = unconfined",
        "lxc.mount.auto =",
        "lxc.mount.auto = cgroup:rw:force proc:mixed sys:mixed",
        f"lxc.seccomp.profile = {seccomp}",
        "lxc.signal.halt = SIGRTMIN+3",
        "lxc.tty.max = 1",
        "lxc.pty.max = 1024",
        f"lxc.console.logfile = {home / 'console.log'}",
        "lxc.console.size = 1MB",
        f"lxc.log.file = {home / 'lxc.log'}",
        "lxc.log.level = ERROR",
        f"lxc.namespace.share.net = /run/networks/{vmid}",
        "lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0",
        # A user-space NFS server exports from a plain file system only.
        f"lxc.mount.entry = {home / 'export'} srv/export none bind,create=dir 0 0",
    ]
    if rootless:  # where nobody can make devices, no program of the kernel's has to forbid them
        lines += ["lxc.cgroup2.devices.deny =", "lxc.cgroup2.devices.allow ="]
    lines += [f"lxc.cgroup2.{name} = {value}" for name, value in limits.items()]
    return "".join(f"{line}\n" for line in lines)
