"""Names that a stack file itself refers to: those of clusters (`c07`) and of their nodes (`n1`)."""

from __future__ import annotations

HEAD = "head"
COMPUTE = "compute"
INSTRUCTOR = "instructor"
"""Name of the instructors' node, its scope in labels, and the group that it alone is in; clusters'
names end in digits."""

DIGITS = 2
"""Digits of a cluster's number, never fewer; fixed, so that cluster 100 renames no other."""


def cluster_name(prefix: str, number: int) -> str:
    """c07 for cluster 7 of an event with the prefix `c`."""
    return f"{prefix}{number:0{DIGITS}d}"


def node_names(node_group: str, count: int) -> tuple[str, ...]:
    """Names of a group's nodes in their cluster: head; n1, n2, … of compute; else storage1, …"""
    if node_group == HEAD and count <= 1:
        return (HEAD,) * count
    stem = "n" if node_group == COMPUTE else node_group
    return tuple(f"{stem}{position}" for position in range(1, count + 1))
