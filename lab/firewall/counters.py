"""What passed at each card of a lab, and what its firewall has dropped: exact, unlike the log,
which notes one packet a second.

Received and sent are figures of the card itself; what was dropped is counted by name in the rules.
What a guest sent and a rule dropped is among what it sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lab.firewall.nft import TABLE
from lab.network import system
from lab.network.names import Namespaces, Port, port_of
from lab.network.system import NetworkError

KINDS = {"spoofed": "spoofed", "out_dropped": "droppedSent", "in_dropped": "droppedReceived"}
"""What a counter of the rules is called, and what it is called here."""

Figures = dict[str, Any]


async def counters(names: Namespaces, hosts: Iterable[str]) -> list[Figures]:
    """One entry for each card on these hosts: `vmid`, `nic`, `host`, and `received`, `sent`,
    `spoofed`, `droppedSent`, `droppedReceived` as `{"packets": n, "bytes": n}`; without a firewall
    nothing is dropped. `NetworkError` if the system refuses."""
    found: list[Figures] = []
    for host in sorted(hosts):
        namespace = names.host(host)
        links = await system.links(namespace)
        dropped = by_link(await _dropped(namespace))
        for link in links:
            port = port_of(host, link["ifname"], link.get("ifalias", ""))
            if port is not None:
                found.append(_entry(port, link, dropped.get(port.link, {})))
    return found


def _entry(port: Port, link: Mapping[str, Any], dropped: Mapping[str, Figures]) -> Figures:
    """The host's end sends what the guest receives."""
    nothing = {"packets": 0, "bytes": 0}
    return {
        "vmid": port.vmid,
        "nic": port.nic,
        "host": port.host,
        "received": _figures(link["stats64"]["tx"]),
        "sent": _figures(link["stats64"]["rx"]),
        **{name: dropped.get(name, nothing) for name in KINDS.values()},
    }


def _figures(row: Mapping[str, Any]) -> Figures:
    return {"packets": int(row["packets"]), "bytes": int(row["bytes"])}


async def _dropped(namespace: str) -> list[dict[str, Any]]:
    """All counters of our tables in a namespace, as nftables lists them."""
    found: list[dict[str, Any]] = []
    for family in ("bridge", "inet"):
        try:
            command = ("nft", "-j", "list", "counters", "table", family, TABLE)
            told = await system.run("nsenter", f"--net={system.NAMESPACES / namespace}", *command)
        except NetworkError as error:
            if "No such file" not in str(error):  # a host whose rules were never loaded
                raise
            continue
        found += [row["counter"] for row in json.loads(told)["nftables"] if "counter" in row]
    return found


def by_link(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Figures]]:
    """Counters by card and by what they count; those of other names are left out."""
    found: dict[str, dict[str, Figures]] = {}
    for row in rows:
        link, _, kind = str(row["name"]).partition("_")
        if kind in KINDS:
            found.setdefault(link, {})[KINDS[kind]] = _figures(row)
    return found
