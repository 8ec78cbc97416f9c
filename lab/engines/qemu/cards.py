"""A guest's network cards as its machine has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.guests.nets import is_net, parse_net

_DRIVERS = {"virtio": "virtio-net-pci"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card; without `bridge` it is plugged in nowhere."""

    number: int
    model: str
    mac: str
    bridge: str | None
    vlan: int | None
    firewall: bool
    connected: bool
    mtu: int | None

    @property
    def driver(self) -> str:
        """What QEMU calls the device."""
        return _DRIVERS.get(self.model, self.model)

    @property
    def device(self) -> tuple[str, str, int | None, bool]:
        """What cannot change without taking the card out."""
        return self.model, self.mac, self.mtu, self.bridge is not None

    @property
    def socket(self) -> tuple[str | None, int | None, bool]:
        """Where it is plugged in."""
        return self.bridge, self.vlan, self.firewall


def card(key: str, text: str) -> Card:
    """The card of one key of a configuration, such as `net0`."""
    net = parse_net(text)
    tag, mtu = net.get("tag"), net.get("mtu")
    return Card(
        number=int(key[3:]),
        model=str(net["model"]),
        mac=str(net["macaddr"]).lower(),
        bridge=net.get("bridge"),
        vlan=int(tag) if tag else None,
        firewall=bool(net.get("firewall")),
        connected=not net.get("link_down"),
        mtu=int(mtu) if mtu and int(mtu) > 1 else None,
    )


def cards(config: dict[str, Any]) -> list[Card]:
    """All cards by number."""
    return [card(key, config[key]) for key in sorted(filter(is_net, config), key=_number)]


def _number(key: str) -> int:
    return int(key[3:])
