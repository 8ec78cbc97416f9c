"""Addresses: the subnet of a cluster and the addresses in it, by integer arithmetic.

The n-th cluster has the n-th subnet of the event's private range (counted from 0, so that the
subnet's number is the cluster's). A node's host part is its index; the instructors' node has the
last usable address of every subnet.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from event.values import AddressRange

BITS = 32

PRIVATE_RANGES = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
"""RFC 1918: ranges that no participant needs to reach outside."""


def subnet_count(private: IPv4Network, prefix: int) -> int:
    """How many subnets of a prefix length a range holds; 0 if the range is smaller than one."""
    return 1 << (prefix - private.prefixlen) if prefix >= private.prefixlen else 0


def subnet(private: IPv4Network, prefix: int, number: int) -> IPv4Network:
    """The subnet of a cluster; `number` must be below `subnet_count`."""
    return IPv4Network((int(private.network_address) + (number << (BITS - prefix)), prefix))


def node_address(network: IPv4Network, index: int) -> IPv4Interface:
    """Address of node `index` of the cluster that has this subnet."""
    return IPv4Interface((int(network.network_address) + index, network.prefixlen))


def instructor_address(network: IPv4Network) -> IPv4Interface:
    """Address of the instructors' node in a cluster's subnet: the last usable one."""
    return IPv4Interface((int(network.broadcast_address) - 1, network.prefixlen))


def exposed_address(first: IPv4Address, prefix: int, number: int) -> IPv4Interface:
    """Exposed address of cluster `number`'s head; 0 is the instructors' node's."""
    return IPv4Interface((int(first) + number, prefix))


def usable(network: IPv4Network) -> AddressRange:
    """Addresses that nodes may have: all but the first and the last. Needs a /30 or larger."""
    return AddressRange(network.network_address + 1, network.broadcast_address - 1)


def is_private(network: IPv4Network) -> bool:
    """Whether a range lies within one of RFC 1918."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)


def prefix_that_fits(subnets: int, subnet_prefix: int) -> int:
    """Prefix length of the smallest range with at least so many subnets."""
    return max(0, subnet_prefix - max(0, subnets - 1).bit_length())


def aligned(network: IPv4Network, prefix: int) -> bool:
    """Whether the network's first address also starts a network of this prefix length."""
    return int(network.network_address) % (1 << (BITS - prefix)) == 0
