"""Where rights on the networks are that a guest's card is on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.guests.nets import trunk_vlans

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
    vlans += sorted(map(str, trunk_vlans(str(net.get("trunks") or ""))))
    return [f"{path}/{vlan}" for vlan in vlans] or [path]
