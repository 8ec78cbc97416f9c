"""The lab's seed file, from the stack file of the site that the lab stands in for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from event.hosts import expand_hosts
from event.model import Site, Storage
from event.services_model import MIRROR
from event.stack import SiteStack
from plan.service_files import MAC, rules
from plan.services import services

LOOPBACK = "127.0.0.1"
LAB_TRUNKS = "t.*"
"""What leads from a host of the lab to the others."""

LAB_BRIDGED = "meta mark & 0x80000000 == 0x80000000"
"""How a host of the lab knows packets that a bridge passes on."""

MIB_PER_GIB = 1024
DEFAULT_SIZE_GIB = 4000
"""Capacity of a shared storage whose file gives none, in GiB."""


def seed(stack: SiteStack) -> dict[str, Any]:
    """What the lab's cluster consists of, as `python -m lab serve --seed` reads it.

    Only what a real site has before practicum: hosts, storages, the exposed bridge and volumes.
    The clusters' bridge is not part of it, since the site stack makes that.
    """
    site = stack.site
    volumes = stack.lab.volumes if stack.lab else []
    return {
        "cluster": stack.name,
        "nodes": _nodes(site),
        "bridges": list(dict.fromkeys(("vmbr0", site.network.exposed.bridge))),
        "storages": [_storage(name, storage, site) for name, storage in site.storages.items()],
        "volumes": [
            {
                "volid": volume.volume,
                "sizeMib": round(volume.size_gib * MIB_PER_GIB),
                "nodes": None,
            }
            for volume in volumes
        ],
        "objects": [],
        **_services(site, own_mirror=stack.lab is not None and stack.lab.mirror is not None),
    }


def _services(site: Site, *, own_mirror: bool) -> dict[str, Any]:
    """Services for hosts whose guests really send: rules as a real host has them. All are handed
    on by the lab itself, because its hosts have no way out that addresses could be translated for;
    one without `to` is the lab's own mirror.
    """
    found = [replace(each, mode="proxy") for each in services(site)]
    if not found:
        return {}
    written = rules(
        "practicum_services", found, legs=[f"{site.network.bridge}v*"], uplinks=[LAB_TRUNKS],
        bridged=[LAB_BRIDGED],
    )  # fmt: skip
    proxies = [
        {
            "address": str(each.address), "port": each.port, "protocol": each.protocol,
            **({} if own_mirror and (each.name, each.protocol) == (MIRROR, "tcp")
               else {"to": str(each.to), "toPort": each.to_port}),
        }
        for each in found
    ]  # fmt: skip
    settings = {"rules": written, "bridge": site.network.bridge, "mac": MAC, "services": proxies}
    return {"services": settings}


def _nodes(site: Site) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "cores": host.cores,
            "memoryMib": round(host.memory_gib * MIB_PER_GIB),
            "diskGib": host.disk_gib,
            "address": LOOPBACK,
            "ports": list(host.ports),
        }
        for host in site.hosts
        for name in expand_hosts(host.name)
    ]


def _storage(name: str, storage: Storage, site: Site) -> dict[str, Any]:
    size = storage.size_gib or (
        DEFAULT_SIZE_GIB if storage.shared else max(host.disk_gib for host in site.hosts)
    )
    row: dict[str, Any] = {
        "id": name,
        "type": storage.type,
        "content": list(storage.content),
        "shared": storage.shared,
        "sizeGib": size,
        "nodes": None,
    }
    return row | _location(name, storage.type)


def _location(name: str, kind: str) -> dict[str, str]:
    """Where the storage would be on a real host; the keys that Proxmox VE wants for its type."""
    if kind in ("dir", "btrfs"):
        return {"path": "/var/lib/vz" if name == "local" else f"/srv/{name}"}
    if kind == "nfs":
        return {"server": LOOPBACK, "export": f"/srv/{name}"}
    if kind == "cifs":
        return {"server": LOOPBACK, "share": name}
    if kind == "lvmthin":
        return {"vgname": "pve", "thinpool": "data" if name == "local-lvm" else name}
    if kind in ("zfspool", "rbd"):
        return {"pool": name}
    return {"path": f"/mnt/pve/{name}"}
