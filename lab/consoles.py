"""Consoles of guests: tickets and ports for VNC, terminals and SPICE.

A ticket is what Proxmox VE would give; behind its port there is nobody. The task that serves a
console waits ten seconds for a client, as the real one does, and fails without one.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.errors import TaskError, failure, not_implemented
from lab.formats import parse_property_string
from lab.guests.record import load as load_machine
from lab.lxc.record import load as load_container
from lab.routes import handles

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.guests.record import Guest
    from lab.tasks import TaskLog

QEMU = "/nodes/{node}/qemu/{vmid}"
LXC = "/nodes/{node}/lxc/{vmid}"
CONNECT_S = 10
PORTS = range(5900, 6000)
SPICE_PORTS = 61000
_PASSWORD = string.ascii_letters + string.digits
_HIDDEN = "connection timed out"


def _free_port(lab: Lab) -> int:
    """A port that no console of the last seconds has."""
    now = time.monotonic()
    kept: dict[int, float] = lab.cache.get("console ports", (None, {}))[1]
    busy = {port: end for port, end in kept.items() if end > now}
    port = next((port for port in PORTS if port not in busy), None)
    if port is None:
        raise failure("unable to find free vnc port")
    lab.cache["console ports"] = (None, {**busy, port: now + CONNECT_S})
    return port


async def _console(call: Call, *, password: bool, certificate: bool) -> dict[str, Any]:
    """Start a console's task and answer how to reach it."""
    lab, vmid = call.lab, call.params["vmid"]
    port = _free_port(lab)
    ticket = lab.authority.console_ticket(call.user, f"/vms/{vmid}", port)
    shown: dict[str, Any] = {"user": call.user, "port": port}
    if password:
        shown["password"] = "".join(secrets.choice(_PASSWORD) for _ in range(8))
        ticket = f"{shown['password']}:{ticket}"

    async def work(_log: TaskLog) -> None:
        await asyncio.sleep(CONNECT_S)
        raise TaskError(_HIDDEN)

    upid = await lab.tasks.start(call, call.params["node"], "vncproxy", str(vmid), work)
    if certificate:
        shown["cert"] = (lab.settings.state / "ca.pem").read_text()
    return shown | {"ticket": ticket, "upid": upid}


def _machine(call: Call) -> Guest:
    return load_machine(call.lab, call.params["vmid"], call.params["node"])


@handles("POST", f"{QEMU}/vncproxy")
async def open_screen(call: Call) -> dict[str, Any]:
    """A VNC ticket; a serial display needs a password only for a WebSocket."""
    vga = parse_property_string("pve-qm-vga", str(_machine(call).config.get("vga", "std")))
    serial = str(vga.get("type", "")).startswith("serial")
    wanted = call.params.get("generate-password") or call.params.get("websocket")
    return await _console(call, password=bool(wanted) or not serial, certificate=True)


@handles("POST", f"{QEMU}/termproxy")
async def open_terminal(call: Call) -> dict[str, Any]:
    """A ticket for a serial terminal."""
    _machine(call)
    return await _console(call, password=False, certificate=False)


@handles("POST", f"{QEMU}/spiceproxy")
async def open_spice(call: Call) -> dict[str, Any]:
    """What a SPICE viewer needs; only a running guest with such a display has it."""
    guest = _machine(call)
    if not guest.running:
        raise failure(f"VM {guest.vmid} not running")
    vga = parse_property_string("pve-qm-vga", str(guest.config.get("vga", "std")))
    if not str(vga.get("type", "")).startswith(("qxl", "virtio")):
        raise failure("no spice port")
    name = guest.config.get("name")
    return _viewer(call, f"VM {guest.vmid}" + (f" - {name}" if name else ""))


def _viewer(call: Call, title: str) -> dict[str, Any]:
    lab, node, vmid = call.lab, call.params["node"], int(call.params["vmid"])
    proxy, port = call.params.get("proxy", node), SPICE_PORTS + vmid % 100
    host = f"pvespiceproxy:{int(time.time()):08x}:{vmid}:{node.lower()}:{port}"
    return {
        "type": "spice",
        "title": title,
        "host": f"{host}::{secrets.token_hex(20)}",
        "proxy": f"http://[{proxy}]:3128" if ":" in proxy else f"http://{proxy}:3128",
        "tls-port": port,
        "password": secrets.token_hex(20),
        "host-subject": f"OU=PVE Cluster Node,O=Proxmox Virtual Environment,CN={node}",
        "ca": (lab.settings.state / "ca.pem").read_text().replace("\n", "\\n"),
        "delete-this-file": 1,
        "secure-attention": "Ctrl+Alt+Ins",
        "toggle-fullscreen": "Shift+F11",
        "release-cursor": "Ctrl+Alt+R",
    }


@handles("POST", f"{LXC}/vncproxy")
async def open_container_screen(call: Call) -> dict[str, Any]:
    """A VNC ticket for a container's terminal."""
    load_container(call.lab, call.params["vmid"], call.params["node"])
    return await _console(call, password=bool(call.params.get("websocket")), certificate=True)


@handles("POST", f"{LXC}/termproxy")
async def open_container_terminal(call: Call) -> dict[str, Any]:
    """A ticket for a container's terminal."""
    load_container(call.lab, call.params["vmid"], call.params["node"])
    return await _console(call, password=False, certificate=False)


@handles("POST", f"{LXC}/spiceproxy")
async def open_container_spice(call: Call) -> dict[str, Any]:
    """What a SPICE viewer needs for the terminal of a running container."""
    container = load_container(call.lab, call.params["vmid"], call.params["node"])
    if not container.running:
        raise failure(f"CT {container.vmid} not running")
    return _viewer(call, f"CT {container.vmid}")


@handles("GET", f"{QEMU}/vncwebsocket")
@handles("GET", f"{LXC}/vncwebsocket")
async def open_socket(call: Call) -> None:
    """501: the lab has no screens to show. A ticket that is none is refused first."""
    path = f"/vms/{call.params['vmid']}"
    call.lab.authority.check_console_ticket(
        call.params["vncticket"], call.user, path, call.params["port"]
    )
    raise not_implemented(call.method, call.path)
