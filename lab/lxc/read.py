"""What can be read of a container: configuration, pending changes, status, addresses, lists."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.ha.config import guest_status
from lab.lxc.mounts import parse_mount
from lab.lxc.options import is_net, parse_net
from lab.lxc.record import KIND, find_row, load
from lab.lxc.update import LXC
from lab.machine import read_choice
from lab.routes import handles
from lab.storage.volumes import volumes

if TYPE_CHECKING:
    from lab.app import Lab

Row = dict[str, Any]
MIB = 1024 * 1024
DEFAULT_MEMORY = 512
DEFAULT_ROOT = 4 * 1024 * MIB
_FOLDERS = ("config", "pending", "status", "vncproxy", "termproxy", "vncwebsocket", "spiceproxy",
            "migrate", "clone", "rrd", "rrddata", "firewall", "snapshot", "resize",
            "interfaces")  # fmt: skip
_STATUS = ("current", "start", "stop", "shutdown", "reboot", "migrate")
_PRESSURES = tuple(
    f"pressure{what}{how}" for what in ("cpu", "io", "memory") for how in ("some", "full")
)


@handles("GET", LXC)
async def list_folder(call: Call) -> list[Row]:
    """What is below a container."""
    load(call.lab, call.params["vmid"], call.params["node"])
    return [{"subdir": name} for name in _FOLDERS]


@handles("GET", f"{LXC}/status")
async def list_status(call: Call) -> list[Row]:
    """What is below a container's status."""
    load(call.lab, call.params["vmid"], call.params["node"])
    return [{"subdir": name} for name in _STATUS]


@handles("GET", f"{LXC}/config")
async def read_config(call: Call) -> Row:
    """The configuration with pending changes as if they were in force, or without (`current`)."""
    snapshot, current = read_choice(call.params)
    container = load(call.lab, call.params["vmid"], call.params["node"])
    config = container.shown(snapshot, current=current)
    return _readable(call, config | {"digest": container.digest})


def _readable(call: Call, config: Row) -> Row:
    """Without the environment, which may hold secrets, for those who may not set it."""
    path = f"/vms/{call.params['vmid']}"
    if "env" in config and not call.lab.rights.has(call.user, path, ["VM.Config.Options"]):
        del config["env"]
    return config


@handles("GET", f"{LXC}/pending")
async def read_pending(call: Call) -> list[Row]:
    """Every option with its value, what it will be, and whether it will go."""
    container = load(call.lab, call.params["vmid"], call.params["node"])
    values = _readable(call, container.config | {"digest": container.digest})
    waiting = _readable(call, dict(container.pending))
    found = []
    for key in sorted({*values, *waiting, *container.pending_delete}):
        row: Row = {"key": key}
        if key in values:
            row["value"] = values[key]
        if key in waiting:
            row["pending"] = waiting[key]
        if key in container.pending_delete:
            row["delete"] = 1
        found.append(row)
    return found


@handles("GET", "/nodes/{node}/lxc")
async def list_containers(call: Call) -> list[Row]:
    """The containers of a host that the caller may see."""
    lab, node = call.lab, call.params["node"]
    rows = [
        status_row(lab, int(vmid), row)
        for vmid, row in lab.store.items(KIND)
        if row["node"] == node
    ]
    if call.is_root:
        return rows
    return [r for r in rows if lab.rights.has(call.user, f"/vms/{r['vmid']}", ["VM.Audit"])]


@handles("GET", f"{LXC}/status/current")
async def read_status(call: Call) -> Row:
    """Status and figures of one container."""
    lab, vmid = call.lab, int(call.params["vmid"])
    container = load(lab, vmid, call.params["node"])
    return status_row(lab, vmid, container.row()) | {"ha": guest_status(lab.store, vmid)}


def status_row(lab: Lab, vmid: int, row: Row) -> Row:
    """Status of a container as lists of one host show it; nothing runs in it, so it uses
    nothing but its disk."""
    config, running = row["config"], row["status"] == "running"
    host = lab.store.get("node", row["node"]) or {}
    status: Row = {
        "type": KIND,
        "vmid": vmid,
        "status": row["status"],
        "name": config.get("hostname") or f"CT{vmid}",
        "cpus": config.get("cores") or _limit(config) or host.get("cores", 1),
        "maxmem": config.get("memory", DEFAULT_MEMORY) * MIB,
        "maxswap": config.get("swap", 0) * MIB,
        "maxdisk": DEFAULT_ROOT,
        "uptime": max(int(time.time() - row["since"]), 1) if running else 0,
    }
    status |= dict.fromkeys(
        ("disk", "mem", "swap", "cpu", "netin", "netout", "diskread", "diskwrite"), 0
    )
    if root := config.get("rootfs"):
        mount = parse_mount("rootfs", root)
        status["maxdisk"] = mount.get("size") or DEFAULT_ROOT
        volume = volumes(lab).get(mount["volume"], row["node"]) if running else None
        status["disk"] = volume["used"] if volume else 0
    if running:
        status |= {"pid": row["pid"], **dict.fromkeys(_PRESSURES, 0)}
    if config.get("template"):
        status["template"] = 1
    return status | {key: config[key] for key in ("tags", "lock") if config.get(key)}


def _limit(config: Row) -> float | int:
    text = str(config.get("cpulimit", 0))
    return int(text) if text.isdigit() else float(text)


def resource_row(lab: Lab, vmid: int, row: Row) -> Row:
    """A container in the list of everything in the cluster."""
    status = status_row(lab, vmid, row)
    shown: Row = {
        "id": f"{KIND}/{vmid}",
        "type": KIND,
        "vmid": vmid,
        "node": row["node"],
        "template": status.get("template", 0),
        "maxcpu": status["cpus"],
        "memhost": status["mem"],
    }
    kept = ("name", "status", "uptime", "cpu", "mem", "maxmem", "disk", "maxdisk", "netin",
            "netout", "diskread", "diskwrite", "lock", "tags")  # fmt: skip
    return shown | {key: status[key] for key in kept if key in status}


@handles("GET", f"{LXC}/interfaces")
async def list_interfaces(call: Call) -> list[Row] | None:
    """The interfaces inside a running container; null for one that is off or not there.

    An address is known when it is configured: nobody answers DHCP here.
    """
    row = find_row(call.lab, call.params["vmid"], call.params["node"])
    if row is None or row["status"] != "running":
        return None
    loopback = _interface("lo", "00:00:00:00:00:00", ["127.0.0.1/8", "::1/128"])
    config = row["config"]
    cards = [parse_net(config[key]) for key in sorted(filter(is_net, config))]
    return [loopback, *(_card(net) for net in cards)]


def _card(net: Row) -> Row:
    given = (net.get("ip"), net.get("ip6"))
    fixed = [text for text in given if text and "/" in text]
    return _interface(net["name"], net["hwaddr"].lower(), fixed)


def _interface(name: str, address: str, cidrs: list[str]) -> Row:
    shown: Row = {"name": name, "hwaddr": address, "hardware-address": address, "ip-addresses": []}
    for cidr in cidrs:
        found = ipaddress.ip_interface(cidr)
        family = "inet" if found.version == 4 else "inet6"
        shown[family] = f"{found.ip}/{found.network.prefixlen}"
        shown["ip-addresses"].append(
            {
                "ip-address-type": family,
                "ip-address": str(found.ip),
                "prefix": found.network.prefixlen,
            }
        )
    return shown
