"""Names the firewall knows: protocols, ICMP types and macros."""

from __future__ import annotations

import re

from lab.firewall.addresses import list_members
from lab.formats import named_format

WITH_PORTS = {"tcp", "udp", "dccp", "sctp", "udplite", "6", "17", "33", "132", "136"}
ICMP = {"icmp": 4, "1": 4, "icmpv6": 6, "ipv6-icmp": 6, "58": 6}
PROTOCOLS = {
    "ah", "ax.25", "dccp", "ddp", "egp", "eigrp", "encap", "esp", "etherip", "fc", "ggp", "gre",
    "hip", "hmp", "icmp", "idpr-cmtp", "idrp", "igmp", "igp", "ip", "ipcomp", "ipencap", "ipip",
    "ipv6", "ipv6-frag", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "isis", "iso-tp4",
    "l2tp", "manet", "mobility-header", "mpls-in-ip", "ospf", "pim", "pup", "rdp", "rohc", "rspf",
    "rsvp", "sctp", "shim6", "skip", "st", "tcp", "udp", "udplite", "vmtp", "vrrp", "wesp",
    "xns-idp", "xtp", "icmpv6",
}  # fmt: skip
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
SERVICES = {
    "domain", "ftp", "ftp-data", "git", "http", "https", "imap2", "imaps", "ldap", "ldaps",
    "mysql", "netbios-ns", "nfs", "ntp", "pop3", "pop3s", "postgresql", "rsync", "smtp", "snmp",
    "ssh", "submission", "sunrpc", "svn", "syslog", "telnet", "tftp", "whois",
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
_PORT = re.compile(r"\d{1,5}", re.ASCII)


def macro_name(text: str) -> str | None:
    """The macro meant, in its own spelling; None when there is none."""
    return _BY_LOWER.get(text.lower())


def is_icmp_type(text: str) -> bool:
    """Whether a text names an ICMP type of either version."""
    return text in ICMP_TYPES or text in ICMP6_TYPES


def check_ports(text: str) -> None:
    """ValueError for a list of ports, ranges and service names that has a wrong one."""
    for member in list_members(text):
        for port in member.split(":", 1):
            if _PORT.fullmatch(port):
                if int(port) > 65535:
                    raise ValueError(f"invalid port '{port}'")
            elif port not in SERVICES:
                raise ValueError(f"invalid port '{port}'")


@named_format("pve-fw-protocol-spec")
def _protocol(text: str) -> None:
    number = _PORT.fullmatch(text) and int(text) <= 255
    if text and not number and text not in PROTOCOLS:
        raise ValueError(f"unknown protocol '{text}'")


@named_format("pve-fw-sport-spec")
def _source_ports(text: str) -> None:
    check_ports(text)


@named_format("pve-fw-dport-spec")
def _target_ports(text: str) -> None:
    # With ICMP the name of a type may stand in the place of a port.
    if not is_icmp_type(text):
        check_ports(text)


@named_format("pve-fw-icmp-type-spec")
def _icmp_type(text: str) -> None:
    if text and not is_icmp_type(text):
        raise ValueError(f"invalid icmp-type value '{text}'")
