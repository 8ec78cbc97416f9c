"""The plan as JSON: a documented contract for other programs, `docs/plan.schema.json`.

Sizes have their unit in the key; addresses carry their prefix length; null means "none".
"""

from __future__ import annotations

from typing import Any

from plan.loads import HostLoad, Load, StorageLoad, Totals
from plan.records import EventPlan, FirewallRule, Guest, Interface, SecurityGroup, Service

VERSION = 1
"""Version of the contract; a key that changes its meaning or goes away makes another."""

Json = dict[str, Any]


def event_json(plan: EventPlan) -> Json:
    """The plan of an event as plain JSON values. It holds no secret."""
    groups = [plan.security_group]
    groups += [cluster.security_group for cluster in plan.clusters if cluster.security_group]
    return {
        "version": VERSION,
        "stack": plan.stack,
        "title": plan.title,
        "site": plan.site,
        "guests": [_guest(guest) for guest in plan.guests],
        "networks": [
            {
                "cluster": cluster.network.cluster,
                "bridge": cluster.network.bridge,
                "vlan": cluster.network.vlan,
                "subnet": str(cluster.network.subnet),
            }
            for cluster in plan.clusters
        ],
        "services": [_service(service) for service in plan.services],
        "hosts": [_host(host) for host in plan.hosts],
        "storages": [_storage(storage) for storage in plan.storages],
        "totals": _totals(plan.totals),
        "securityGroups": [_group(group) for group in groups],
        "warnings": list(plan.warnings),
    }


def _guest(guest: Guest) -> Json:
    return {
        "name": guest.name,
        "cluster": guest.cluster,
        "number": guest.number,
        "node": guest.node,
        "index": guest.index,
        "nodeGroup": guest.node_group,
        "host": guest.host,
        "vmid": guest.vmid,
        "image": guest.template.image,
        "template": guest.template.vmid,
        "storage": guest.template.storage,
        "clone": guest.clone,
        "cores": guest.cores,
        "memoryMib": guest.memory_mib,
        "diskGib": guest.disk_gib,
        "exposed": guest.exposed,
        "securityGroup": guest.security_group,
        "level": guest.level,
        "interfaces": [_interface(nic) for nic in guest.interfaces],
        **({"ownScripts": [each.name for each in guest.own_scripts]} if guest.own_scripts else {}),
        **(
            {"ownPlaybooks": [each.name for each in guest.own_playbooks]}
            if guest.own_playbooks
            else {}
        ),
    }


def _interface(nic: Interface) -> Json:
    return {
        "network": nic.network,
        "bridge": nic.bridge,
        "vlan": nic.vlan,
        "mac": nic.mac,
        "address": str(nic.address) if nic.address else None,
        "gateway": str(nic.gateway) if nic.gateway else None,
        "dhcp": nic.dhcp,
        "connected": nic.connected,
        **({"trunks": list(nic.trunks)} if nic.trunks else {}),
    }


def _service(service: Service) -> Json:
    return {
        "name": service.name,
        "address": str(service.address),
        "port": service.port,
        "protocol": service.protocol,
        "to": str(service.to),
        "toPort": service.to_port,
        "mode": service.mode,
    }


def _host(host: HostLoad) -> Json:
    return {
        "name": host.name,
        "drain": host.drain,
        "guests": host.guests,
        "cores": _load(host.cores),
        "memoryMib": _load(host.memory_mib),
        "diskGib": _load(host.disk_gib),
    }


def _storage(storage: StorageLoad) -> Json:
    return {
        "name": storage.name,
        "guests": storage.guests,
        "diskGib": {"need": storage.need_gib, "have": storage.have_gib},
    }


def _totals(totals: Totals) -> Json:
    return {
        "clusters": totals.clusters,
        "guests": totals.guests,
        "hosts": totals.hosts,
        "cores": _load(totals.cores),
        "memoryMib": _load(totals.memory_mib),
        "diskGib": _load(totals.disk_gib),
        "survivesLossOfAnyHost": totals.survives_loss_of_any_host,
        "worstLoss": totals.worst_loss,
    }


def _group(group: SecurityGroup) -> Json:
    return {
        "name": group.name,
        "cluster": group.cluster,
        "rules": [_rule(rule) for rule in group.rules],
    }


def _rule(rule: FirewallRule) -> Json:
    return {
        "direction": rule.direction,
        "action": rule.action,
        "protocol": rule.protocol,
        "source": str(rule.source) if rule.source else None,
        "dest": str(rule.dest) if rule.dest else None,
        "port": rule.port,
        "comment": rule.comment,
    }


def _load(load: Load) -> Json:
    return {"need": load.need, "have": load.have}
