"""Names the firewall knows: protocols, ICMP types and macros."""

from __future__ import annotations

import re

from lab.firewall.addresses import list_members
from lab.firewall.registries import PROTOCOLS, SERVICES
from lab.formats import named_format

WITH_PORTS = {"tcp", "udp", "dccp", "sctp", "udplite", "6", "17", "33", "132", "136"}
ICMP = {"icmp": 4, "icmpv6": 6, "ipv6-icmp": 6}
ICMP_TYPES = {
    "any", "echo-reply", "destination-unreachable", "network-unreachable", "host-unreachable",
    "protocol-unreachable", "port-unreachable", "fragmentation-needed", "source-route-failed",
    "network-unknown", "host-unknown", "network-prohibited", "host-prohibited",
    "TOS-network-unreachable", "TOS-host-unreachable", "communication-prohibited",
    "host-precedence-violation", "precedence-cutoff", "source-quench", "redirect",
    "network-redirect", "host-redirect", "TOS-network-redirect", "TOS-host-redirect",
    "echo-request", "router-advertisement", "router-solicitation", "time-exceeded",
    "ttl-zero-during-transit", "ttl-zero-during-reassembly", "parameter-problem", "ip-header-bad",
    "required-option-missing", "timestamp-request", "timestamp-reply", "address-mask-request",
    "address-mask-reply",
}  # fmt: skip
ICMP6_TYPES = {
    "destination-unreachable", "no-route", "communication-prohibited", "beyond-scope",
    "address-unreachable", "port-unreachable", "failed-policy", "reject-route", "packet-too-big",
    "time-exceeded", "ttl-zero-during-transit", "ttl-zero-during-reassembly", "parameter-problem",
    "bad-header", "unknown-header-type", "unknown-option", "echo-request", "echo-reply",
    "router-solicitation", "router-advertisement", "neighbor-solicitation",
    "neighbour-solicitation", "neighbor-advertisement", "neighbour-advertisement", "redirect",
}  # fmt: skip
MACROS = {
    "Amanda": "Amanda backup",
    "Auth": "Identification requests",
    "BGP": "Border gateway protocol",
    "BitTorrent": "BitTorrent up to version 3.1",
    "BitTorrent32": "BitTorrent from version 3.2",
    "CVS": "Concurrent versions system",
    "Ceph": "Ceph monitors, managers and storage daemons",
    "DHCPfwd": "Forwarded DHCP",
    "DHCPv6": "DHCP for IPv6",
    "DNS": "Domain names, UDP and TCP",
    "Distcc": "Distributed compiler",
    "FTP": "File transfer",
    "Finger": "Finger requests",
    "GNUnet": "GNUnet peers",
    "GRE": "Generic routing encapsulation",
    "Git": "Git's own protocol",
    "HKP": "OpenPGP key servers",
    "HTTP": "Web without encryption",
    "HTTP/3": "Web over QUIC",
    "HTTPS": "Web with TLS",
    "ICPV2": "Internet cache protocol",
    "ICQ": "AOL instant messaging",
    "IMAP": "Mail access",
    "IMAPS": "Mail access with TLS",
    "IPIP": "IP in IP",
    "IPsec": "IPsec with key exchange",
    "IPsecah": "IPsec authentication headers",
    "IPsecnat": "IPsec through address translation",
    "IRC": "Internet relay chat",
    "Jetdirect": "HP printers",
    "L2TP": "Layer 2 tunnels",
    "LDAP": "Directory access",
    "LDAPS": "Directory access with TLS",
    "MDNS": "Multicast name service",
    "MSNP": "Microsoft notification",
    "MSSQL": "Microsoft SQL server",
    "Mail": "Mail transfer, with TLS and submission",
    "Munin": "Munin monitoring",
    "MySQL": "MySQL server",
    "NNTP": "News",
    "NNTPS": "News with TLS",
    "NTP": "Time",
    "NeighborDiscovery": "IPv6 neighbours and routers",
    "OSPF": "OSPF routing",
    "OpenVPN": "OpenVPN",
    "PBS": "Proxmox backup server",
    "PCA": "Symantec PCAnywhere",
    "PMG": "Proxmox mail gateway's web interface",
    "POP3": "Mail fetching",
    "POP3S": "Mail fetching with TLS",
    "PPtP": "Point-to-point tunnels",
    "Ping": "ICMP echo requests",
    "PostgreSQL": "PostgreSQL server",
    "Printer": "Line printer protocol",
    "RDP": "Remote desktop",
    "RIP": "RIP routing in both directions",
    "RNDC": "Control of BIND",
    "Razor": "Razor spam filter",
    "Rdate": "Remote time retrieval",
    "Rsync": "rsync daemon",
    "SANE": "Network scanning",
    "SMB": "Windows file sharing",
    "SMBswat": "Samba's web administration",
    "SMTP": "Mail transfer",
    "SMTPS": "Mail transfer with TLS",
    "SNMP": "Network management",
    "SPAMD": "Spam Assassin daemon",
    "SPICEproxy": "SPICE display through the proxy",
    "SSH": "Secure shell traffic",
    "SVN": "Subversion server",
    "SixXS": "SixXS tunnels",
    "Squid": "Squid proxy",
    "Submission": "Mail submission",
    "Syslog": "System logging",
    "TFTP": "Trivial file transfer",
    "Telnet": "Telnet",
    "Telnets": "Telnet with TLS",
    "Time": "RFC 868 time",
    "Trcrt": "Traceroute",
    "VNC": "VNC displays 0 to 99",
    "VNCL": "VNC viewers that listen",
    "Web": "Web with and without TLS",
    "Webcache": "Web cache at port 8080",
    "Webmin": "Webmin",
    "Whois": "Whois",
}
_BY_LOWER = {name.lower(): name for name in MACROS}
_PORTS = re.compile(r"([0-9]+)(?::([0-9]+))?")
_MOST_PORTS = 15
_NUMBERS = frozenset(str(number) for number in PROTOCOLS.values())
HELPERS = frozenset(["amanda", "ftp", "irc", "netbios-ns", "pptp", "sane", "sip", "snmp", "tftp"])
# This text ends without a newline there, so the place of the code is added.
_HELPERS_PLACE = " at /usr/share/perl5/PVE/Firewall.pm line 1."


def macro_name(text: str) -> str | None:
    """The macro meant, in its own spelling; None when there is none."""
    return _BY_LOWER.get(text.lower())


def is_icmp_type(text: str) -> bool:
    """Whether a text names an ICMP type of either version."""
    return text in ICMP_TYPES or text in ICMP6_TYPES


def check_ports(text: str, *, icmp: bool = False) -> None:
    """ValueError for a list of ports, ranges and service names that has a wrong one.

    With `icmp` the names of ICMP types may stand in the places of ports.
    """
    count, named = 0, False
    for member in list_members(text):
        if found := _PORTS.fullmatch(member):
            first, last = found.groups()
            count += 1 if last is None else 2
            _check_numbers(*(int(port) for port in (first, last) if port is not None))
        elif icmp and is_icmp_type(member):
            named = True
        elif member not in SERVICES:
            raise ValueError(f"invalid port '{member}'")
    if named and count:
        raise ValueError("ICMP ports not allowed in port range")
    if count > _MOST_PORTS:
        raise ValueError(f"too many entries in port list (> {_MOST_PORTS} numbers)")


def _check_numbers(first: int, last: int | None = None) -> None:
    for port in (first, last):
        if port is not None and port > 65535:
            raise ValueError(f"invalid port '{port}'")
    if last is not None and first > last:
        raise ValueError(
            f"backwards range '{first}:{last}' not allowed, did you mean '{last}:{first}'?"
        )


@named_format("pve-fw-protocol-spec")
def check_protocol(text: str) -> None:
    """ValueError for what is neither a protocol's name nor the number of one."""
    known = text in PROTOCOLS or text == "icmpv6" or text in _NUMBERS
    if text not in ("", "0") and not known:
        raise ValueError(f"unknown protocol '{text}'")


@named_format("pve-fw-sport-spec")
def _source_ports(text: str) -> None:
    check_ports(text)


@named_format("pve-fw-dport-spec")
def _target_ports(text: str) -> None:
    check_ports(text, icmp=True)


@named_format("pve-fw-icmp-type-spec")
def _icmp_type(text: str) -> None:
    if text and not is_icmp_type(text):
        raise ValueError(f"invalid icmp-type value '{text}'")


@named_format("pve-fw-conntrack-helper")
def _helpers(text: str) -> None:
    for name in list_members(text):
        if name not in HELPERS:
            raise ValueError(f"unknown helper {name}{_HELPERS_PLACE}")
