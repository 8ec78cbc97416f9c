"""Where rights on the networks are that a guest's card is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.app import Lab


def card_paths(lab: Lab, net: Mapping[str, Any]) -> list[str]:
    """The paths on which a card needs `SDN.Use`: its VLAN and each VLAN of its trunk, else the
    whole bridge or virtual network; none for a card that is on no bridge."""
    bridge = net.get("bridge")
    if not bridge:
        return []
    vnet = lab.store.get("vnet", str(bridge)) or {}
    path = f"/sdn/zones/{vnet.get('zone', 'localnetwork')}/{bridge}"
    vlans = [str(net["tag"])] if net.get("tag") else []
    vlans += sorted(set(_trunk(str(net.get("trunks") or ""))))
    return [f"{path}/{vlan}" for vlan in vlans] or [path]


def _trunk(text: str) -> Iterator[str]:
    """VLANs of `10;20-22`; a range whose end is below its begin is its begin alone."""
    for part in filter(None, text.split(";")):
        first, _, last = part.partition("-")
        yield from map(str, range(int(first), max(int(last or first), int(first)) + 1))
