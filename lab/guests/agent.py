"""Calls to the guest agent: what it answers, or why nobody answers."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure
from lab.guests.clone import QEMU
from lab.guests.record import load
from lab.routes import add_handler

COMMANDS = {
    "POST": ("ping", "fsfreeze-status", "fsfreeze-freeze", "fsfreeze-thaw", "fstrim", "shutdown",
             "suspend-disk", "suspend-hybrid", "suspend-ram"),
    "GET": ("get-time", "info", "network-get-interfaces", "get-vcpus", "get-fsinfo",
            "get-memory-blocks", "get-memory-block-info", "get-host-name", "get-osinfo",
            "get-users", "get-timezone"),
}  # fmt: skip
_PLAIN = frozenset({"node", "vmid"})


async def ask_agent(call: Call) -> dict[str, Any]:
    """The agent's answer to the command that the path ends with."""
    command = call.pattern.rpartition("/")[2]
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    if "agent" not in guest.config:
        raise failure("No QEMU guest agent configured")
    if not guest.running:
        raise failure(f"VM {guest.vmid} is not running")
    arguments = {key: value for key, value in call.params.items() if key not in _PLAIN}
    result = await engine_of(call.lab).agent(guest, command, arguments)
    if result is None:
        raise failure("QEMU guest agent is not running")
    return {"result": result}


for _method, _commands in COMMANDS.items():
    for _command in _commands:
        add_handler(_method, f"{QEMU}/agent/{_command}", ask_agent)
