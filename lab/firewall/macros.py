"""What the firewall's macros stand for: protocols and ports."""

from __future__ import annotations

from typing import Any

from lab.firewall.words import MACROS

_PORTS = """
Amanda=tcp:10080,udp:10080  Auth=tcp:113  BGP=tcp:179  BitTorrent=tcp:6881-6889,udp:6881
BitTorrent32=tcp:6881-6999,udp:6881  CVS=tcp:2401  Ceph=tcp:6789,tcp:3300,tcp:6800-7300
DNS=udp:53,tcp:53  Distcc=tcp:3632  FTP=tcp:21  Finger=tcp:79
GNUnet=tcp:2086,udp:2086,tcp:1080,udp:1080  GRE=47  Git=tcp:9418  HKP=tcp:11371  HTTP=tcp:80
HTTP/3=udp:443  HTTPS=tcp:443  ICPV2=udp:3130  ICQ=tcp:5190  IMAP=tcp:143  IMAPS=tcp:993  IPIP=94
IPsec=udp:500,50  IPsecah=udp:500,51  IPsecnat=udp:500,udp:4500,50  IRC=tcp:6667
Jetdirect=tcp:9100  L2TP=udp:1701  LDAP=tcp:389  LDAPS=tcp:636  MDNS=udp:5353  MSNP=tcp:1863
MSSQL=tcp:1433  Mail=tcp:25,tcp:465,tcp:587  Munin=tcp:4949  MySQL=tcp:3306  NNTP=tcp:119
NNTPS=tcp:563  NTP=udp:123  OSPF=89  OpenVPN=udp:1194  PBS=tcp:8007  PCA=udp:5632,tcp:5631
PMG=tcp:8006  POP3=tcp:110  POP3S=tcp:995  PPtP=47,tcp:1723  PostgreSQL=tcp:5432
Printer=tcp:515  RDP=tcp:3389  RIP=udp:520  RNDC=tcp:953  Razor=tcp:2703  Rdate=tcp:37
Rsync=tcp:873  SANE=tcp:6566  SMB=udp:135,udp:445,udp:137-139,tcp:135,tcp:139,tcp:445
SMBswat=tcp:901  SMTP=tcp:25  SMTPS=tcp:465  SNMP=udp:161-162,tcp:161  SPAMD=tcp:783
SPICEproxy=tcp:3128  SSH=tcp:22  SVN=tcp:3690  SixXS=tcp:3874,udp:3740,41,udp:5072,udp:8374
Squid=tcp:3128  Submission=tcp:587  Syslog=udp:514,tcp:514  TFTP=udp:69  Telnet=tcp:23
Telnets=tcp:992  Time=tcp:37  VNC=tcp:5900-5999  VNCL=tcp:5500  Web=tcp:80,tcp:443
Webcache=tcp:8080  Webmin=tcp:10000  Whois=tcp:43
"""
_NEIGHBOURS = (
    "router-solicitation", "router-advertisement", "neighbor-solicitation",
    "neighbor-advertisement",
)  # fmt: skip
_OTHERS: dict[str, list[dict[str, Any]]] = {
    "DHCPfwd": [{"proto": "udp", "dport": "67:68", "sport": "67:68"}],
    "DHCPv6": [{"proto": "udp", "dport": "546:547", "sport": "546:547"}],
    "NeighborDiscovery": [{"proto": "icmpv6", "icmp-type": kind} for kind in _NEIGHBOURS],
    "Ping": [
        {"proto": "icmp", "icmp-type": "echo-request"},
        {"proto": "icmpv6", "icmp-type": "echo-request"},
    ],
    "Trcrt": [
        {"proto": "udp", "dport": "33434:33524"},
        {"proto": "icmp", "icmp-type": "echo-request"},
    ],
}


def _parsed() -> dict[str, list[dict[str, Any]]]:
    found = dict(_OTHERS)
    for entry in _PORTS.split():
        name, _, parts = entry.partition("=")
        found[name] = [_part(part) for part in parts.split(",")]
    return found


def _part(text: str) -> dict[str, Any]:
    protocol, _, port = text.partition(":")
    return {"proto": protocol} | ({"dport": port.replace("-", ":")} if port else {})


MEANING = _parsed()
"""Macro -> what a rule that names it asks for, one entry for each way to match."""


def undefined() -> set[str]:
    """Macros that rules may name and that mean nothing here; there are none."""
    return MACROS.keys() ^ MEANING.keys()
