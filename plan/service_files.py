"""The files by which a host gives its guests the site's services: rules for nftables, interfaces,
units. Pure text, the same for the same plan; the lab loads the same rules in its hosts.

An address that all hosts have must never be seen beyond a host: its ARP is dropped at the uplink in
both directions, so each guest is answered by its own host. All hosts have the same MAC there, so a
guest that moved goes on at once. Towards guests a host is closed but for the named ports, in IPv6
as well; and although an address makes a host forward by itself, nothing passes between networks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network

from plan.records import Service

MAC = "02:70:72:61:63:74"
"""What every host's leg has; it never leaves a host."""

_LONGEST = 15  # characters of a link's name, Linux's limit
_END = "PRACTICUM_END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A host's own leg in a private network: an interface on the VLAN-aware bridge."""

    bridge: str
    vlan: int
    subnet: IPv4Network

    @property
    def name(self) -> str:
        """The interface's name."""
        name = f"{self.bridge}.{self.vlan}"
        if len(name) <= _LONGEST:
            return name
        return f"p{sha256(self.bridge.encode()).hexdigest()[:8]}.{self.vlan}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How a host is wired: its legs, and the ports that lead to other hosts."""

    legs: tuple[Leg, ...]
    uplinks: tuple[str, ...]


def table_name(stack: str) -> str:
    """The name of an event's tables."""
    return "practicum_" + re.sub(r"[^A-Za-z0-9]", "_", stack)


def host_rules(stack: str, services: Sequence[Service], wiring: Wiring) -> str:
    """The rules of a real host."""
    legs = [leg.name for leg in wiring.legs]
    bridged = [f"iifname . oifname {{ {', '.join(f'{_q(leg)} . {_q(leg)}' for leg in legs)} }}"]
    sources = [f"iifname {_q(leg.name)} ip saddr != {leg.subnet} drop" for leg in wiring.legs]
    return rules(
        table_name(stack), services, legs=legs, uplinks=wiring.uplinks, bridged=bridged,
        sources=sources,
    )  # fmt: skip


def rules(
    table: str,
    services: Sequence[Service],
    *,
    legs: Sequence[str],
    uplinks: Sequence[str],
    bridged: Sequence[str],
    sources: Sequence[str] = (),
) -> str:
    """Rules for nftables, loaded at once in place of those before.

    Names of interfaces may end in `*`. `bridged` are matches of packets that a bridge passes on
    within one network and shows to the family `inet`; `sources` are checks of who asks.
    """
    parts = [
        _table("bridge", table, _bridge(services, uplinks)),
        _table("inet", table, _inet(services, legs, bridged, sources)),
    ]
    translated = [each for each in services if each.mode == "masquerade"]
    parts.append(_table("ip", table, _nat(translated, legs) if translated else []))
    return "".join(parts)


def _table(family: str, name: str, lines: Iterable[str]) -> str:
    body = "".join(f"\t{line}\n" for line in lines)
    start = f"add table {family} {name}\ndelete table {family} {name}\n"
    return f"{start}table {family} {name} {{\n{body}}}\n"


def _chain(name: str, hook: str, lines: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", f"\t{hook}", *(f"\t{line}" for line in lines), "}"]


def _q(name: str) -> str:
    return f'"{name}"'


def _names(side: str, names: Sequence[str]) -> str:
    """A match of interfaces; a wildcard cannot stand in a set of several."""
    if len(names) == 1:
        return f"{side} {_q(names[0])}"
    return f"{side} {{ {', '.join(_q(name) for name in names)} }}"


def _addresses(services: Sequence[Service]) -> str:
    found = sorted({each.address for each in services})
    return f"{{ {', '.join(str(each) for each in found)} }}"


def _bridge(services: Sequence[Service], uplinks: Sequence[str]) -> list[str]:
    addresses = _addresses(services)
    # Whoever on a bridge claims the address is not the host: its own answers come from `leaving`.
    arriving = [f"{what} {addresses} counter drop" for what in ("arp saddr ip", "ip saddr")]
    passing, leaving = [], []
    if uplinks:
        inward, outward = _names("iifname", uplinks), _names("oifname", uplinks)
        arriving += [
            f"{inward} arp daddr ip {addresses} counter drop",
            f"{inward} ip daddr {addresses} counter drop",
            f"{inward} ether saddr {MAC} counter drop",
        ]
        passing = [
            f"{outward} arp daddr ip {addresses} counter drop",
            f"{outward} ip daddr {addresses} counter drop",
            f"{outward} ether daddr {MAC} counter drop",
        ]
        leaving = [
            f"{outward} arp saddr ip {addresses} counter drop",
            f"{outward} ether saddr {MAC} counter drop",
        ]
    return [
        *_chain("arriving", "type filter hook prerouting priority -310; policy accept;", arriving),
        *_chain("passing", "type filter hook forward priority -210; policy accept;", passing),
        *_chain("leaving", "type filter hook output priority -210; policy accept;", leaving),
    ]


def _inet(
    services: Sequence[Service], legs: Sequence[str], bridged: Sequence[str], sources: Sequence[str]
) -> list[str]:
    guests = _names("iifname", legs)
    asked = [f"{guests} jump guests"]
    allowed = [
        *sources,
        *(
            f"ip daddr {each.address} {each.protocol} dport {each.port} counter accept"
            for each in services
            if each.mode == "proxy"
        ),
        "counter drop",
    ]
    routed = [*(f"{match} accept" for match in bridged), *sources]
    if any(each.mode == "masquerade" for each in services):
        routed.append("ct status dnat accept")
    routed += [f"{guests} counter drop", f"{_names('oifname', legs)} counter drop"]
    return [
        "chain guests {", *(f"\t{line}" for line in allowed), "}",
        *_chain("asked", "type filter hook input priority -10; policy accept;", asked),
        *_chain("routed", "type filter hook forward priority -10; policy accept;", routed),
    ]  # fmt: skip


def _nat(services: Sequence[Service], legs: Sequence[str]) -> list[str]:
    """Translation; packets that a guest's own firewall bridge has shown already are tracked apart,
    or they would be taken for connections without a translation."""
    guests = _names("iifname", legs)
    asked = [
        f"{guests} ip daddr {each.address} {each.protocol} dport {each.port} "
        f"dnat to {each.to}:{each.to_port}"
        for each in services
    ]
    return [
        *_chain(
            "apart", "type filter hook prerouting priority -300; policy accept;",
            ['iifname "fwbr*" ct zone set 1'],
        ),
        *_chain("asked", "type nat hook prerouting priority -100; policy accept;", asked),
        *_chain(
            "answered", "type nat hook postrouting priority 100; policy accept;",
            ["ct status dnat masquerade"],
        ),
    ]  # fmt: skip


# ---------------------------------------------------------------- files of a real host


def files(stack: str, services: Sequence[Service], wiring: Wiring) -> dict[str, str]:
    """All files of an event's services on a host, by path."""
    unit = f"practicum-{stack}"
    found = {
        f"/etc/practicum/{stack}.nft": host_rules(stack, services, wiring),
        f"/etc/network/interfaces.d/{unit}": _interfaces(stack, services, wiring),
        f"/etc/systemd/system/{unit}.service": _rules_unit(stack, services),
    }
    for each in services:
        if each.mode == "proxy":
            found |= _proxy_units(unit, each)
    return found


def _interfaces(stack: str, services: Sequence[Service], wiring: Wiring) -> str:
    addresses = sorted({each.address for each in services})
    lines = [f"# practicum:{stack}: legs of the host in the clusters' networks"]
    for leg in wiring.legs:
        lines += [
            "", f"auto {leg.name}", f"iface {leg.name} inet static",
            *(f"\taddress {address}/32" for address in addresses),
            f"\thwaddress {MAC}",
            f"\tvlan-raw-device {leg.bridge}", f"\tvlan-id {leg.vlan}",
            f"\tpost-up ip route replace {leg.subnet} dev {leg.name} src {addresses[0]}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _rules_unit(stack: str, services: Sequence[Service]) -> str:
    path = f"/etc/practicum/{stack}.nft"
    forward = ""
    if any(each.mode == "masquerade" for each in services):
        forward = "ExecStart=/usr/sbin/sysctl -q -w net.ipv4.ip_forward=1\n"
    ends = "".join(
        f"ExecStop=-/usr/sbin/nft delete table {family} {table_name(stack)}\n"
        for family in ("bridge", "inet", "ip")
    )
    return (
        f"[Unit]\nDescription=practicum:{stack}: packet rules of the clusters' services\n"
        "Before=network-pre.target pve-guests.service\nWants=network-pre.target\n"
        "DefaultDependencies=no\nAfter=local-fs.target\n\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        f"ExecStart=/usr/sbin/nft -f {path}\n{forward}ExecReload=/usr/sbin/nft -f {path}\n{ends}\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def _proxy_units(unit: str, service: Service) -> dict[str, str]:
    """A socket for each leg, bound to it, and who hands its connections on."""
    base = f"/etc/systemd/system/{unit}-{service.name}@"
    what = f"practicum: {service.name} for the network of %i"
    return {
        f"{base}.socket": (
            f"[Unit]\nDescription={what}\n\n"
            f"[Socket]\nListenStream={service.address}:{service.port}\n"
            "BindToDevice=%i\nFreeBind=yes\n\n"
            "[Install]\nWantedBy=sockets.target\n"
        ),
        f"{base}.service": (
            f"[Unit]\nDescription={what}\nRequires=%p@%i.socket\nAfter=%p@%i.socket\n\n"
            "[Service]\nDynamicUser=yes\nPrivateTmp=yes\n"
            f"ExecStart=/usr/lib/systemd/systemd-socket-proxyd {service.to}:{service.to_port}\n"
        ),
    }


def _sockets(stack: str, services: Sequence[Service], wiring: Wiring) -> list[str]:
    """Names of all socket units; their instances are legs, read back as written (`%i`)."""
    return [
        f"practicum-{stack}-{each.name}@{leg.name}.socket"
        for each in services
        if each.mode == "proxy"
        for leg in wiring.legs
    ]


def install_script(stack: str, services: Sequence[Service], wiring: Wiring) -> str:
    """Commands for root that put everything in place, and again after a change: rules first, so
    that no address is there for a moment without them."""
    lines = ["set -eu", "install -d -m 755 /etc/practicum"]
    for path, text in files(stack, services, wiring).items():
        lines += [f"cat > {path} <<'{_END}'", f"{text.rstrip()}", _END, f"chmod 644 {path}"]
    unit = f"practicum-{stack}.service"
    lines += [
        "systemctl daemon-reload",
        f"systemctl enable {unit}",
        f"systemctl reload-or-restart {unit}",
    ]
    lines.append("ifreload -a")
    sockets = _sockets(stack, services, wiring)
    lines.append(_stop_others(stack, sockets))
    if sockets:
        lines.append(f"systemctl enable --now {' '.join(sockets)}")
    return "\n".join(lines) + "\n"


def _stop_others(stack: str, kept: Sequence[str]) -> str:
    """Sockets of legs and services that are gone."""
    names = " ".join(kept)
    return (
        f"systemctl list-units --all --plain --no-legend 'practicum-{stack}-*@*.socket' "
        f'| while read -r unit _; do case " {names} " in *" $unit "*) ;; '
        '*) systemctl disable --now "$unit" ;; esac; done'
    )


def remove_script(stack: str, services: Sequence[Service], wiring: Wiring) -> str:
    """Commands for root after which nothing of it is left; legs go before the rules."""
    unit = f"practicum-{stack}"
    interfaces = f"/etc/network/interfaces.d/{unit}"
    lines = [
        "set -u",
        _stop_others(stack, []),
        f"systemctl stop '{unit}-*@*.service' 2>/dev/null || true",
        *(f"ip link delete {leg.name} 2>/dev/null || true" for leg in wiring.legs),
        f"rm -f {interfaces}",
        "ifreload -a || true",
        f"systemctl disable --now {unit}.service || true",
        *(f"rm -f {path}" for path in files(stack, services, wiring) if path != interfaces),
        "rmdir --ignore-fail-on-non-empty /etc/practicum 2>/dev/null || true",
        "systemctl daemon-reload",
    ]
    return "\n".join(lines) + "\n"
