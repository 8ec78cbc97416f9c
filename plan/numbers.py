"""Numbers: VMID, MAC and VLAN of a node, from its cluster's number and its index alone.

    VMID  first of the event's VMIDs + 100 · cluster + index of the node (1 to 99)
    MAC   02 (locally administered, IEEE 802 §8.4), the VMID in four bytes, the NIC in one
    VLAN  first of the event's VLANs + cluster; the first itself is parked: no cluster uses it

The instructors' node counts as node 1 of cluster 0.
"""

from __future__ import annotations

VMIDS_PER_CLUSTER = 100
LAST_INDEX = VMIDS_PER_CLUSTER - 1
INSTRUCTOR_CLUSTER = 0
INSTRUCTOR_INDEX = 1

# Proxmox VE: net0 to net31 (qemu-server, $MAX_NETS = 32); the first is the exposed one.
MOST_NICS = 32
MOST_CLUSTER_NICS = MOST_NICS - 1


def vmid(first: int, cluster: int, index: int) -> int:
    """VMID of node `index` of a cluster."""
    return first + VMIDS_PER_CLUSTER * cluster + index


def mac(vmid: int, nic: int) -> str:
    """MAC of a NIC in upper case, as Proxmox VE writes it; unique because the VMID is."""
    digits = f"{vmid:08X}{nic:02X}"
    return "02:" + ":".join(digits[i : i + 2] for i in range(0, 10, 2))


def vlan(first: int, cluster: int) -> int:
    """VLAN of a cluster's private network."""
    return first + cluster
