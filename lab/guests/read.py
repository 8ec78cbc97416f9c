"""What can be read of a guest: configuration, pending changes, status, and its row in lists."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.engines import engine_of
from lab.formats import parse_property_string
from lab.guests import drives
from lab.guests.clone import QEMU
from lab.guests.options import PASSWORD_SHOWN
from lab.guests.record import KIND, load
from lab.guests.update import memory_mib
from lab.ha.config import guest_status
from lab.machine import read_choice
from lab.routes import handles

if TYPE_CHECKING:
    from lab.app import Lab

MIB = 1024 * 1024
DEFAULT_SHARES = 1000
_PRESSURES = tuple(
    f"pressure{what}{how}" for what in ("cpu", "io", "memory") for how in ("some", "full")
)
Row = dict[str, Any]


@handles("GET", f"{QEMU}/config")
async def read_config(call: Call) -> Row:
    """The configuration with pending changes as if they were in force, or without (`current`)."""
    snapshot, current = read_choice(call.params)
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    return _masked(guest.shown(snapshot, current=current)) | {"digest": guest.digest}


@handles("GET", f"{QEMU}/pending")
async def read_pending(call: Call) -> list[Row]:
    """Every option with its value, what it will be, and whether it will go (2: with its volume)."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    values = _masked(guest.config) | {"digest": guest.digest}
    waiting = _masked(guest.pending)
    found = []
    for key in sorted({*values, *waiting, *guest.pending_delete}):
        row: Row = {"key": key}
        if key in values:
            row["value"] = values[key]
        if key in waiting:
            row["pending"] = waiting[key]
        if key in guest.pending_delete:
            row["delete"] = 2 if guest.pending_delete[key] else 1
        found.append(row)
    return found


def _masked(config: Row) -> Row:
    return config | {"cipassword": PASSWORD_SHOWN} if "cipassword" in config else dict(config)


@handles("GET", f"{QEMU}/status/current")
async def read_status(call: Call) -> Row:
    """Status and figures of one guest."""
    lab, vmid = call.lab, int(call.params["vmid"])
    guest = load(lab, vmid, call.params["node"])
    status = full_status(lab, vmid, guest.row())
    status["ha"] = guest_status(lab.store, vmid)
    if vga := guest.config.get("vga"):
        values = parse_property_string("pve-qm-vga", str(vga))
        if str(values.get("type", "")).startswith(("virtio", "qxl")):
            status["spice"] = 1
        status["clipboard"] = values.get("clipboard")
    if agent_enabled(guest.config):
        status["agent"] = 1
    return status


def full_status(lab: Lab, vmid: int, row: Row) -> Row:
    """The status with what only QEMU itself knows."""
    status = status_row(lab, vmid, row)
    running = row["status"] == "running"
    status["qmpstatus"] = row["qmp"] if running else "stopped"
    nics = engine_of(lab).figures(vmid, row["config"]).nics if running else {}
    if nics:
        status["nics"] = {
            name: {"netin": received, "netout": sent} for name, (received, sent) in nics.items()
        }
    return status


def agent_enabled(config: Row) -> bool:
    """Whether the configuration says that a guest agent runs in the guest."""
    text = str(config.get("agent", ""))
    return bool(text.strip() and parse_property_string("pve-qm-agent", text).get("enabled"))


@handles("GET", "/nodes/{node}/qemu")
async def list_guests(call: Call) -> list[Row]:
    """The guests of a host that the caller may see."""
    lab, node = call.lab, call.params["node"]
    show = full_status if call.params.get("full") else status_row
    rows = [show(lab, int(vmid), row) for vmid, row in lab.store.items(KIND) if row["node"] == node]
    if call.is_root:
        return rows
    return [r for r in rows if lab.rights.has(call.user, f"/vms/{r['vmid']}", ["VM.Audit"])]


def status_row(lab: Lab, vmid: int, row: Row) -> Row:
    """Status of a guest as lists of one host show it."""
    status = dict(_fixed(lab, vmid, row))
    running = row["status"] == "running"
    status |= {
        "status": row["status"],
        "uptime": max(int(time.time() - row["since"]), 1) if running else 0,
        "cpu": 0,
        "mem": 0,
        "memhost": 0,
        "netin": 0,
        "netout": 0,
    }
    if running:
        figures = engine_of(lab).figures(vmid, row["config"])
        status |= {
            "pid": row["pid"],
            "cpu": figures.cpu,
            "mem": figures.memory,
            "memhost": figures.memory,
            "netin": sum(received for received, _ in figures.nics.values()),
            "netout": sum(sent for _, sent in figures.nics.values()),
        }
        status |= dict.fromkeys(_PRESSURES, 0)
    return status


def _fixed(lab: Lab, vmid: int, row: Row) -> Row:
    """The part of a status that follows from the row; kept until the row is written again."""
    _, known = lab.cache.setdefault("guest status", (0, {}))
    cached = known.get(vmid)
    if cached is None or cached[0] is not row["config"]:
        cached = known[vmid] = (row["config"], _from_config(lab, vmid, row))
    return cached[1]  # type: ignore[no-any-return]


def _from_config(lab: Lab, vmid: int, row: Row) -> Row:
    config = row["config"]
    cpus = config.get("sockets", 1) * config.get("cores", 1)
    host = lab.store.get("node", row["node"]) or {}
    status: Row = {
        "vmid": vmid,
        "name": config.get("name") or f"VM {vmid}",
        "cpus": config.get("vcpus") or min(cpus, host.get("cores", cpus)),
        "maxmem": memory_mib(config.get("memory")) * MIB,
        "disk": 0,
        "maxdisk": drives.boot_disk_bytes(config),
    }
    if config.get("balloon"):
        status["balloon_min"] = config["balloon"] * MIB
        status["shares"] = config.get("shares", DEFAULT_SHARES)
    if config.get("template"):
        status["template"] = 1
    if any(f"serial{n}" in config for n in range(4)):
        status["serial"] = 1
    for key in ("lock", "tags"):
        if config.get(key):
            status[key] = config[key]
    return status


def resource_row(lab: Lab, vmid: int, row: Row) -> Row:
    """A guest in the list of everything in the cluster."""
    status = status_row(lab, vmid, row)
    figures = engine_of(lab).figures(vmid, row["config"]) if status["status"] == "running" else None
    shown: Row = {
        "id": f"qemu/{vmid}",
        "type": "qemu",
        "vmid": vmid,
        "node": row["node"],
        "name": status["name"],
        "status": status["status"],
        "template": status.get("template", 0),
        "maxcpu": status["cpus"],
        "diskread": figures.disk_read if figures else 0,
        "diskwrite": figures.disk_write if figures else 0,
    }
    shown |= {
        key: status[key]
        for key in ("uptime", "cpu", "mem", "memhost", "maxmem", "disk", "maxdisk", "netin",
                    "netout")
    }  # fmt: skip
    shown |= {key: status[key] for key in ("lock", "tags") if key in status}
    return shown
