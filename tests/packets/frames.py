"""Ethernet frames of the prober, byte by byte: it shares no code with what it judges.

Each frame carries `MARK` and a token of eight bytes, by which it is known wherever it arrives.
Addresses are given as text.
"""

from __future__ import annotations

import socket
import struct

MARK = b"PrObE!"
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip4(text: str) -> bytes:
    return socket.inet_aton(text)


def ip6(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def token(number: int) -> bytes:
    return MARK + struct.pack("!Q", number)


def tokens_in(data: bytes) -> list[int]:
    """Numbers of all tokens in what was received."""
    found, start = [], 0
    while (at := data.find(MARK, start)) >= 0 and at + len(MARK) + 8 <= len(data):
        found.append(struct.unpack_from("!Q", data, at + len(MARK))[0])
        start = at + len(MARK) + 8
    return found


def checksum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source: str, target: str, kind: int, payload: bytes) -> bytes:
    return (mac(target) + mac(source) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(source: str, address: str, wanted: str, number: int, *, reply_to: str = "") -> bytes:
    """Who has `wanted`; with `reply_to` (a MAC) the answer that claims `address`."""
    operation = 2 if reply_to else 1
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    body += mac(source) + ip4(address) + mac(reply_to or "00:00:00:00:00:00") + ip4(wanted)
    return ethernet(source, reply_to or BROADCAST, 0x0806, body + token(number))


def packet4(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 16, protocol, 0, ip4(source), ip4(target)
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp4(
    source: tuple[str, str, int], target: tuple[str, str, int], number: int, *, more: bytes = b""
) -> bytes:
    """A datagram from (MAC, address, port) to (MAC, address, port)."""
    payload = more + token(number)
    datagram = struct.pack("!HHHH", source[2], target[2], 8 + len(payload), 0) + payload
    return ethernet(source[0], target[0], 0x0800, packet4(source[1], target[1], 17, datagram))


def tcp_syn(source: tuple[str, str, int], target: tuple[str, str, int], number: int) -> bytes:
    """The first packet of a connection, with the token as its payload."""
    body = token(number)
    head = struct.pack("!HHIIBBHHH", source[2], target[2], 1, 0, 0x50, 2, 1024, 0, 0)
    pseudo = ip4(source[1]) + ip4(target[1]) + struct.pack("!BBH", 0, 6, len(head + body))
    head = head[:16] + struct.pack("!H", checksum(pseudo + head + body)) + head[18:]
    return ethernet(source[0], target[0], 0x0800, packet4(source[1], target[1], 6, head + body))


def packet6(source: str, target: str, following: int, payload: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 255) + (
        ip6(source) + ip6(target) + payload
    )


def icmp6(source: tuple[str, str], target: tuple[str, str], kind: int, body: bytes) -> bytes:
    pseudo = ip6(source[1]) + ip6(target[1]) + struct.pack("!II", 4 + len(body), 58)
    message = struct.pack("!BBH", kind, 0, 0) + body
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    packet = packet6(source[1], target[1], 58, message)
    return ethernet(source[0], target[0], 0x86DD, packet)


def _option(number: int) -> bytes:
    """An option that neighbours do not know, which they must skip; a whole number of octets."""
    return struct.pack("!BB", 253, 2) + token(number)


def neighbour_solicitation(source: str, wanted: str, number: int) -> bytes:
    last = ip6(wanted)[-3:]
    group = "ff02::1:ff" + f"{last[0]:02x}:{last[1]:02x}{last[2]:02x}"
    target = "33:33:ff:" + ":".join(f"{each:02x}" for each in last)
    body = b"\0" * 4 + ip6(wanted) + struct.pack("!BB", 1, 1) + mac(source) + _option(number)
    return icmp6((source, link_local(source)), (target, group), 135, body)


def router_advertisement(source: str, number: int) -> bytes:
    body = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + _option(number)
    return icmp6((source, link_local(source)), ("33:33:00:00:00:01", "ff02::1"), 134, body)


def link_local(address: str) -> str:
    """The IPv6 address that follows from a MAC."""
    octets = mac(address)
    middle = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + b"\0" * 6 + middle)


def dhcp_offer(source: str, address: str, number: int) -> bytes:
    """What a second DHCP server would answer."""
    body = struct.pack("!BBBBIHH", 2, 1, 6, 0, 0x1234, 0, 0x8000) + b"\0" * 4
    body += ip4("10.99.99.99") + ip4(address) + b"\0" * (4 + 16 + 64 + 128)
    body += bytes([99, 130, 83, 99, 53, 1, 2, 54, 4]) + ip4(address) + b"\xff"
    return udp4((source, address, 67), (BROADCAST, "255.255.255.255", 68), number, more=body)


def tagged(frame: bytes, *vlans: int) -> bytes:
    """A frame with 802.1Q tags, the outer one first."""
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    return frame[:12] + tags + frame[12:]


def bridge_protocol(source: str, number: int) -> bytes:
    """A spanning tree message that claims to be the best root."""
    body = bytes([0x42, 0x42, 3, 0, 0, 0, 0, 0]) + b"\0" * 27 + token(number)
    return ethernet(source, "01:80:c2:00:00:00", len(body), body)
