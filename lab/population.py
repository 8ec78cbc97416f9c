"""Many guests at once, for measurements: what a full site looks like, without its calls."""

from __future__ import annotations

import time
import uuid

from lab.store import Store, Value

FIRST_VMID = 100_000
DISK_BYTES = 8 * 1024**3


def populate(store: Store, guests: int) -> int:
    """Add linked clones of nobody in turn to all hosts, every second one running; how many were
    added. Needs hosts and a storage for images; guests that are there already are left."""
    hosts = [name for name, _ in store.items("node")]
    storage = next(
        (name for name, config in store.items("storage") if "images" in str(config["content"])),
        None,
    )
    added = 0
    for number in range(guests):
        vmid = FIRST_VMID + number
        if hosts and store.get("qemu", str(vmid)) is None:
            host = hosts[number % len(hosts)]
            store.put("qemu", str(vmid), _guest(vmid, host, storage, running=number % 2 == 0))
            if storage is not None:
                _put_disk(store, storage, host, vmid)
            added += 1
    store.commit()
    return added


def _guest(vmid: int, host: str, storage: str | None, *, running: bool) -> Value:
    status = "running" if running else "stopped"
    mac = f"BC:24:11:{vmid >> 16 & 255:02X}:{vmid >> 8 & 255:02X}:{vmid & 255:02X}"
    config = {
        "name": f"c{vmid % 1000:03d}-n{vmid}",
        "cores": 1,
        "sockets": 1,
        "memory": "512",
        "agent": "enabled=1",
        "boot": "order=scsi0",
        "net0": f"virtio={mac},bridge=vmbr0,tag={100 + vmid % 100}",
        "ipconfig0": "ip=dhcp",
        "smbios1": f"uuid={uuid.UUID(int=vmid)}",
        "tags": "filled;practicum",
    }
    if storage is not None:
        config["scsi0"] = f"{storage}:{_disk_name(vmid)},size=8G"
    return {
        "node": host,
        "config": config,
        "pending": {},
        "pending_delete": {},
        "snapshots": {},
        "unsynced": {},
        "status": status,
        "qmp": status,
        "since": time.time() if running else 0,
        "pid": vmid if running else 0,
    }


def _disk_name(vmid: int) -> str:
    return f"{vmid}/vm-{vmid}-disk-0.qcow2"


def _put_disk(store: Store, storage: str, host: str, vmid: int) -> None:
    shared = bool((store.get("storage", storage) or {}).get("shared"))
    volid = f"{storage}:{_disk_name(vmid)}"
    row: Value = {
        "volid": volid,
        "storage": storage,
        "node": None if shared else host,
        "content": "images",
        "format": "qcow2",
        "size": DISK_BYTES,
        "used": 0,
        "vmid": vmid,
        "base": None,
        "ctime": int(time.time()),
        "filled": True,
        "origin": None,
    }
    store.put("volume", volid if shared else f"{host}/{volid}", row)
