"""What a stack tells the world: its totals, and for each cluster where its head answers."""

from __future__ import annotations

from typing import Any

from plan.loads import Load, Totals
from plan.records import Cluster, EventPlan, SitePlan

MIB_PER_GIB = 1024
GIB_PER_TIB = 1024


def outputs(plan: EventPlan | SitePlan) -> dict[str, Any]:
    """The stack outputs of a plan: plain JSON values, no secrets."""
    if isinstance(plan, EventPlan):
        return {
            "site": plan.site,
            "clusters": {cluster.name: _cluster(cluster) for cluster in plan.clusters},
            "totals": _totals(plan.totals),
            "storagesTib": {
                storage.name: _load(Load(need=storage.need_gib, have=storage.have_gib), GIB_PER_TIB)
                for storage in plan.storages
            },
        }
    return {
        "hosts": [host.name for host in plan.hosts],
        "templates": {
            image.name: [template.vmid for template in image.templates] for image in plan.images
        },
        "totals": _totals(plan.capacity) if plan.capacity else None,
    }


def _cluster(cluster: Cluster) -> dict[str, Any]:
    head = cluster.guests[0]
    outside = head.interfaces[0]
    return {
        "head": str(outside.address.ip) if outside.address else "dhcp",
        "vlan": cluster.network.vlan,
        "subnet": str(cluster.network.subnet),
        "guests": len(cluster.guests),
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "clusters": totals.clusters,
        "guests": totals.guests,
        "hosts": totals.hosts,
        "cores": _load(totals.cores, 1),
        "memoryGib": _load(totals.memory_mib, MIB_PER_GIB),
        "diskTib": _load(totals.disk_gib, GIB_PER_TIB),
        "survivesLossOfAnyHost": totals.survives_loss_of_any_host,
    }


def _load(load: Load, unit: int) -> dict[str, float]:
    return {"need": round(load.need / unit, 2), "have": round(load.have / unit, 2)}
