"""A packet in the words of a firewall's log: addresses, protocol and ports."""

from __future__ import annotations

import ipaddress
import struct

_PROTOCOLS = {1: "ICMP", 2: "2", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
_WITH_PORTS = (6, 17)


def packet_text(header: bytes, payload: bytes) -> str:
    """What is known of a packet: its link header, and what follows it."""
    words = [_link(header)] if len(header) >= 14 else []
    version = payload[0] >> 4 if payload else 0
    if version == 4 and len(payload) >= 20:
        words += _four(payload)
    elif version == 6 and len(payload) >= 40:
        words += _six(payload)
    return " ".join(words)


def _link(header: bytes) -> str:
    target, source = (header[n : n + 6].hex(":") for n in (0, 6))
    return f"MAC={target}:{source}:{header[12:14].hex(':')}"


def _four(packet: bytes) -> list[str]:
    start = (packet[0] & 15) * 4
    source, target = (ipaddress.IPv4Address(packet[n : n + 4]) for n in (12, 16))
    length, ttl, protocol = struct.unpack_from("!H", packet, 2)[0], packet[8], packet[9]
    words = [f"SRC={source}", f"DST={target}", f"LEN={length}", f"TTL={ttl}"]
    return [*words, *_transport(protocol, packet[start:])]


def _six(packet: bytes) -> list[str]:
    source, target = (ipaddress.IPv6Address(packet[n : n + 16]) for n in (8, 24))
    length = struct.unpack_from("!H", packet, 4)[0] + 40
    words = [f"SRC={source}", f"DST={target}", f"LEN={length}", f"HOPLIMIT={packet[7]}"]
    return [*words, *_transport(packet[6], packet[40:])]


def _transport(protocol: int, rest: bytes) -> list[str]:
    words = [f"PROTO={_PROTOCOLS.get(protocol, str(protocol))}"]
    if protocol in _WITH_PORTS and len(rest) >= 4:
        source, target = struct.unpack_from("!HH", rest)
        words += [f"SPT={source}", f"DPT={target}"]
    elif protocol in (1, 58) and len(rest) >= 2:
        words += [f"TYPE={rest[0]}", f"CODE={rest[1]}"]
    return words
