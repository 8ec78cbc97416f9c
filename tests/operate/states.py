"""Exported states of an event, as the engine writes them for what a plan's records ask for."""

from __future__ import annotations

from typing import Any

from plan.records import EventPlan, Guest, SecurityGroup

TYPES = {
    "vm": "proxmoxve:index/vmLegacy:VmLegacy",
    "group": "proxmoxve:cluster/firewall/security/groupLegacy:GroupLegacy",
}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
          "ciphertext": "v1:x"}  # fmt: skip


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:event::practicum::{kind}::{name}"


def export(plan: EventPlan) -> dict[str, Any]:
    """The deployment of a plan that was built completely."""
    resources: list[dict[str, Any]] = [
        {
            "urn": urn("pulumi:pulumi:Stack", "practicum-event"),
            "type": "pulumi:pulumi:Stack",
            "outputs": {"site": plan.site, "planDigest": "0123456789abcdef"},
        },
        group(plan.security_group),
        {
            "urn": urn("proxmoxve:index/poolLegacy:PoolLegacy", plan.access.pool),
            "type": "proxmoxve:index/poolLegacy:PoolLegacy",
            "inputs": {"poolId": plan.access.pool},
        },
    ]
    if plan.instructor:
        resources.append(guest(plan.instructor, f"{plan.instructor.name}-node"))
    for cluster in plan.clusters:
        resources += [guest(each, cluster.name) for each in cluster.guests]
        resources += [group(cluster.security_group)] if cluster.security_group else []
    return {"version": 3, "deployment": {"resources": resources, "pending_operations": []}}


def guest(record: Guest, parent: str) -> dict[str, Any]:
    """A guest in the state."""
    return {
        "urn": urn(TYPES["vm"], record.name),
        "type": TYPES["vm"],
        "parent": urn("practicum:index:VirtualCluster", parent),
        "inputs": inputs(record),
        "outputs": {},
    }


def inputs(record: Guest) -> dict[str, Any]:
    """What the provider was given for a guest."""
    return {
        "nodeName": record.host,
        "vmId": record.vmid,
        "name": record.name,
        "description": record.description,
        "tags": list(record.tags),
        "clone": {"vmId": record.template.vmid, "full": record.clone == "full", "retries": 1},
        "cpu": {"cores": record.cores},
        "memory": {"dedicated": record.memory_mib},
        "disks": [{"datastoreId": record.template.storage, "size": record.disk_gib}],
        "networkDevices": [
            {
                "bridge": nic.bridge,
                "vlanId": nic.vlan,
                "macAddress": nic.mac,
                "firewall": nic.firewall,
                "disconnected": not nic.connected,
            }
            for nic in record.interfaces
        ],
        "initialization": {
            "ipConfigs": [
                {"ipv4": {"address": "dhcp" if nic.dhcp else str(nic.address)}}
                for nic in record.interfaces
                if nic.dhcp or nic.address
            ],
            "userAccount": {
                "username": record.login.user,
                "keys": list(record.login.ssh_keys),
                "password": SECRET,
            },
        },
        "started": record.start,
    }


def group(record: SecurityGroup) -> dict[str, Any]:
    """A security group in the state."""
    return {
        "urn": urn(TYPES["group"], record.name),
        "type": TYPES["group"],
        "inputs": {
            "name": record.name,
            "rules": [
                {
                    key: value
                    for key, value in {
                        "type": rule.direction,
                        "action": rule.action,
                        "proto": rule.protocol,
                        "source": str(rule.source) if rule.source else None,
                        "dest": str(rule.dest) if rule.dest else None,
                        "dport": str(rule.port) if rule.port else None,
                        "comment": rule.comment,
                    }.items()
                    if value is not None
                }
                for rule in record.rules
            ],
        },
    }
