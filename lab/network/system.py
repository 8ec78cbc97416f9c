"""The programs that change namespaces: `ip`, `nsenter`, `nft`. One call for many changes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.rootless.keeper import inside

NAMESPACES = Path("/run/netns")
BRIDGE_SETTINGS = Path("/proc/sys/net/bridge")
NEEDED = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux"}
"""Programs, and Debian's packages that they are in."""


class NetworkError(Exception):
    """A change of the lab's networks that the system refused; its own words."""


def unavailable() -> str | None:
    """Why networks with packets cannot be had on this machine, in a sentence; None if they can."""
    if os.geteuid() != 0:
        return "networks with packets need root: start the lab as root"
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        return f"networks with packets need Debian's packages {', '.join(missing)}"
    return None


async def run(*command: str, given: str = "") -> str:
    """A program's output; `NetworkError` with what it said when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given.encode())
    if process.returncode != 0:
        said = err.decode(errors="replace").strip() or f"status {process.returncode}"
        raise NetworkError(f"{command[0]}: {said}")
    return out.decode(errors="replace")


async def ip_batch(namespace: str, lines: Iterable[str]) -> None:
    """Lines of `ip` in a namespace, up to the first that fails."""
    text = "".join(f"{line}\n" for line in lines)
    if text:
        await run("ip", "-n", namespace, "-batch", "-", given=text)


async def links(namespace: str) -> list[dict[str, Any]]:
    """All links of a namespace, as `ip -json` shows them with their figures."""
    found: list[dict[str, Any]] = json.loads(
        await run("ip", "-n", namespace, "-s", "-d", "-j", "link") or "[]"
    )
    return found


async def nft(namespace: str, rules: str) -> None:
    """Load rules in a namespace, all or none."""
    await run("nsenter", f"--net={NAMESPACES / namespace}", "nft", "-f", "-", given=rules)


async def ensure_bridge_filter() -> None:
    """Make sure that the kernel can show bridged packets to the packet filter, on bridges that ask
    for it. A module that is loaded for that changes nothing for bridges of the machine: its
    defaults, which would, are taken back at once. `NetworkError` where there is no such module."""
    if BRIDGE_SETTINGS.is_dir():
        return
    try:
        await run("modprobe", "br_netfilter")
    except (NetworkError, FileNotFoundError) as error:
        raise NetworkError(
            f"this kernel has no br_netfilter, which the guests' firewalls need ({error})"
        ) from error
    for name in ("iptables", "ip6tables", "arptables"):
        (BRIDGE_SETTINGS / f"bridge-nf-call-{name}").write_text("0\n")


def present(prefix: str) -> list[str]:
    """Namespaces whose names begin with `prefix`."""
    if not NAMESPACES.is_dir():
        return []
    return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(prefix))


async def add(namespace: str) -> None:
    """A new namespace. In one that is not the machine's `ip` could make it, but not come back."""
    if not inside():
        await run("ip", "netns", "add", namespace)
        return
    place = NAMESPACES / namespace
    place.touch()
    await run("unshare", "--net", "mount", "--bind", "/proc/self/ns/net", str(place))


async def make(namespace: str, settings: Mapping[str, int]) -> None:
    """A namespace with kernel settings; one that is there and works stays as it is."""
    if (NAMESPACES / namespace).exists():
        try:
            await run("ip", "-n", namespace, "link", "show", "lo")
        except NetworkError:
            await run("ip", "netns", "delete", namespace)  # a name that is left of a dead one
        else:
            return
    await add(namespace)
    script = "\n".join(
        f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}"
        for key, value in settings.items()
    )
    await run("nsenter", f"--net={NAMESPACES / namespace}", "sh", "-ec", script)
    await run("ip", "-n", namespace, "link", "set", "lo", "up")


async def remove(namespace: str) -> None:
    """Remove a namespace with all of its links; an absent one is no error."""
    if (NAMESPACES / namespace).exists():
        await run("ip", "netns", "delete", namespace)
