"""What `ip -batch` is told, as text; nothing here touches the system."""

from __future__ import annotations

from lab.network.names import Port, own_mac, switch_port, trunk_link

NETWORK = "practicum-network"
_PLAIN = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
HOST_SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
    "net/ipv4/ip_forward": 0,
    "net/ipv4/conf/all/arp_ignore": 1,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
    "net/bridge/bridge-nf-call-arptables": 0,
}
"""Of hosts and switch: no addresses by themselves, no routing, and bridged packets meet the
packet filter on those bridges only that ask for it. `net/bridge` is there with br_netfilter."""


def network(host: str, bridge: str, link: str, switch: str) -> list[str]:
    """Lines in a host's namespace that make the bridge of a VLAN and its trunk to the switch; the
    kernel keeps with it which bridge of the host it is a part of."""
    trunk = trunk_link(link)
    return [
        f"link add {link} address {own_mac(f'{host}/{link}')} {_PLAIN}",
        f'link set {link} alias "{NETWORK} {bridge}"',
        f"link set {link} up",
        f"link add {trunk} type veth peer name {switch_port(host, link)} netns {switch}",
        f"link set {trunk} master {link} up",
    ]


def switch_bridge(link: str) -> list[str]:
    """Lines in the switch's namespace for a VLAN that no host had before."""
    return [f"link add {link} {_PLAIN}", f"link set {link} up"]


def switch_leg(host: str, link: str) -> str:
    """The line in the switch's namespace that joins a host's trunk to its VLAN."""
    return f"link set {switch_port(host, link)} master {link} up"


def card(port: Port, netns: str | int | None) -> list[str]:
    """Lines that make a guest's card, still apart from its bridge: one end here, the other one,
    with the guest's address, in its namespace; without a namespace a tap, for an emulator."""
    made = (
        f"tuntap add {port.link} mode tap"
        if netns is None
        else f"link add {port.link} type veth "
        f"peer name {port.inner} address {port.mac} netns {netns}"
    )
    return [made, f'link set {port.link} alias "{port.alias()}"']


def joined(port: Port) -> list[str]:
    """Lines that let a card's packets pass."""
    lines = [f"link set {port.link} master {port.network} up"]
    if port.firewall:
        lines.insert(
            0, f"link set {port.network} type bridge nf_call_iptables 1 nf_call_ip6tables 1"
        )
    return lines
