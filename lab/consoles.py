"""Consoles of guests: tickets and ports for VNC, terminals and SPICE.

A ticket is what Proxmox VE would give. Behind the port of a terminal is the guest's serial port, by
a WebSocket; behind that of a screen there is nobody. The task that serves a console waits ten
seconds for a client, as the real one does, and fails without one.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import TaskError, failure, not_implemented
from lab.formats import parse_property_string
from lab.guests.record import load as load_machine
from lab.lxc.record import load as load_container
from lab.routes import handles
from lab.terminals import Terminal

if TYPE_CHECKING:
    from lab.app import Lab
    from lab.engines.base import Console
    from lab.guests.record import Guest
    from lab.tasks import TaskLog

QEMU = "/nodes/{node}/qemu/{vmid}"
LXC = "/nodes/{node}/lxc/{vmid}"
CONNECT_S = 10
PORTS = range(5900, 6000)
SPICE_PORTS = 61000
SERIAL = tuple(f"serial{number}" for number in range(4))
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


async def _screen(call: Call, *, password: bool) -> dict[str, Any]:
    """Start a screen's task and answer how to reach it."""
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
    return await _screen(call, password=bool(wanted) or not serial)


@handles("POST", f"{QEMU}/termproxy")
async def open_terminal(call: Call) -> dict[str, Any]:
    """A ticket for a serial terminal: the one asked for, the display's, or the first there is."""
    guest = _machine(call)
    vga = parse_property_string("pve-qm-vga", str(guest.config.get("vga", "std")))
    display = str(vga.get("type", ""))
    wanted = call.params.get("serial") or (display if display.startswith("serial") else None)
    command = f"/usr/sbin/qm terminal {guest.vmid} -escape 0"

    async def console() -> Console:
        now = load_machine(call.lab, guest.vmid, guest.node)
        port = serial_port(now, wanted)
        if not now.running:
            raise TaskError(f"VM {now.vmid} not running")
        return await engine_of(call.lab).console(now, port)

    return await _terminal(
        call, f"{command} -iface {wanted}" if wanted else command, console,
        greeting=f"starting serial terminal on interface {wanted or SERIAL[0]}",
    )  # fmt: skip


def serial_port(guest: Guest, wanted: str | None) -> str:
    """The serial port that is a socket; `TaskError` as `qm terminal` has it when there is none."""
    if wanted is None:
        found = next((port for port in SERIAL if guest.config.get(port) == "socket"), None)
        if found is None:
            raise TaskError("unable to find a serial interface")
        return found
    if wanted not in guest.config:
        raise TaskError(f"serial interface '{wanted}' is not configured")
    if guest.config[wanted] != "socket":
        raise TaskError(f"wrong serial type on interface '{wanted}'")
    return wanted


async def _terminal(
    call: Call, command: str, console: Callable[[], Awaitable[Console]], greeting: str = ""
) -> dict[str, Any]:
    """Start the task of a terminal and answer how to reach it."""
    lab, vmid = call.lab, call.params["vmid"]
    path, port = f"/vms/{vmid}", _free_port(lab)
    ticket = lab.authority.console_ticket(call.user, path, port)
    terminal = Terminal(
        port=port, path=path, user=call.user, ticket=ticket, command=command, greeting=greeting,
        open_console=console,
    )  # fmt: skip

    async def work(log: TaskLog) -> None:
        await lab.terminals.work(terminal, log)

    upid = await lab.tasks.start(call, call.params["node"], "vncproxy", str(vmid), work)
    return {"user": call.user, "port": port, "ticket": ticket, "upid": upid}


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
    return await _screen(call, password=bool(call.params.get("websocket")))


@handles("POST", f"{LXC}/termproxy")
async def open_container_terminal(call: Call) -> dict[str, Any]:
    """A ticket for a container's terminal."""
    vmid = load_container(call.lab, call.params["vmid"], call.params["node"]).vmid

    async def console() -> Console:
        raise TaskError(
            f"CT {vmid} has no console: nothing runs in containers that the lab's API makes"
        )

    return await _terminal(call, f"/usr/bin/lxc-console -n {vmid} -e -1", console)


@handles("POST", f"{LXC}/spiceproxy")
async def open_container_spice(call: Call) -> dict[str, Any]:
    """What a SPICE viewer needs for the terminal of a running container."""
    container = load_container(call.lab, call.params["vmid"], call.params["node"])
    if not container.running:
        raise failure(f"CT {container.vmid} not running")
    return _viewer(call, f"CT {container.vmid}")


@handles("GET", f"{QEMU}/vncwebsocket")
@handles("GET", f"{LXC}/vncwebsocket")
async def open_socket(call: Call) -> Terminal:
    """The terminal behind a ticket, for the front to join with its client; 501 for a screen, which
    the lab has none of. A ticket that is none is refused first."""
    path = f"/vms/{call.params['vmid']}"
    call.lab.authority.check_console_ticket(
        call.params["vncticket"], call.user, path, call.params["port"]
    )
    terminal = call.lab.terminals.find(call.params["port"])
    if terminal is None:
        raise not_implemented(call.method, call.path)
    return terminal
