"""Calls to the guest agent: what it answers, or why nobody answers.

The engine speaks the agent's own protocol (commands without `guest-`, arguments and answers as in
QEMU's documentation, binary data in base64, a refusal as `{"error": {"class", "desc"}}`); this
module has the forms of Proxmox VE around it.
"""

from __future__ import annotations

import base64
from typing import Any

from lab.call import Call
from lab.engines import engine_of
from lab.errors import failure
from lab.guests.clone import QEMU
from lab.guests.record import Guest, load
from lab.routes import add_handler, handles

COMMANDS = {
    "POST": ("ping", "fsfreeze-status", "fsfreeze-freeze", "fsfreeze-thaw", "fstrim", "shutdown",
             "suspend-disk", "suspend-hybrid", "suspend-ram"),
    "GET": ("get-time", "info", "network-get-interfaces", "get-vcpus", "get-fsinfo",
            "get-memory-blocks", "get-memory-block-info", "get-host-name", "get-osinfo",
            "get-users", "get-timezone"),
}  # fmt: skip
AGENT = f"{QEMU}/agent"
MAX_READ = 16 * 1024 * 1024
_CHUNK = 1024 * 1024


def _guest(call: Call) -> Guest:
    """The guest of a call; 500 unless an agent is configured and the guest runs."""
    guest = load(call.lab, call.params["vmid"], call.params["node"])
    if "agent" not in guest.config:
        raise failure("No QEMU guest agent configured")
    if not guest.running:
        raise failure(f"VM {guest.vmid} is not running")
    return guest


async def _asked(guest: Guest, command: str, arguments: dict[str, Any]) -> Any:
    result = await engine_of(guest.lab).agent(guest, command, arguments)
    if result is None:
        raise failure("QEMU guest agent is not running")
    return result


async def _done(guest: Guest, command: str, arguments: dict[str, Any]) -> Any:
    """The same for commands whose refusal fails the call."""
    result = await _asked(guest, command, arguments)
    if isinstance(result, dict) and (error := result.get("error")):
        raise failure(f"Agent error: {error['desc']}")
    return result


async def ask_agent(call: Call) -> dict[str, Any]:
    """The agent's answer to the command that the path ends with; a refusal is an answer too."""
    command = call.pattern.rpartition("/")[2]
    return {"result": await _asked(_guest(call), command, {})}


@handles("POST", AGENT)
async def ask_named(call: Call) -> dict[str, Any]:
    """The same, the command named by a parameter."""
    return {"result": await _asked(_guest(call), call.params["command"], {})}


def _packed(text: str) -> str:
    """Text as the agent takes it.

    Proxmox VE's code handles characters as bytes: what has no place in one cannot be sent.
    """
    try:
        return base64.b64encode(text.encode("latin-1")).decode()
    except UnicodeEncodeError as error:
        place = "/usr/share/perl5/PVE/API2/Qemu/Agent.pm line 1"
        raise failure(f"Wide character in subroutine entry at {place}.") from error


def _unpacked(data: str) -> str:
    """What the agent sent; every byte becomes a character, as Proxmox VE passes it on."""
    return base64.b64decode(data).decode("latin-1")


@handles("POST", f"{AGENT}/set-user-password")
async def set_password(call: Call) -> dict[str, Any]:
    """Set a password inside the guest."""
    params = call.params
    arguments = {
        "username": params["username"],
        "password": _packed(params["password"]),
        "crypted": bool(params.get("crypted")),
    }
    return {"result": await _done(_guest(call), "set-user-password", arguments)}


@handles("POST", f"{AGENT}/exec")
async def execute(call: Call) -> Any:
    """Start a program inside the guest; the answer has its `pid`."""
    command: list[Any] = call.params["command"]
    arguments: dict[str, Any] = {"capture-output": True}
    if command:
        arguments |= {"path": command[0], "arg": command[1:]}
    if "input-data" in call.params:
        arguments["input-data"] = _packed(call.params["input-data"])
    elif not command:
        raise failure("command or input-data (or both) required")
    return await _done(_guest(call), "exec", arguments)


@handles("GET", f"{AGENT}/exec-status")
async def read_execution(call: Call) -> dict[str, Any]:
    """Whether a program has ended, with what code, and what it wrote."""
    result = await _done(_guest(call), "exec-status", {"pid": call.params["pid"]})
    shown: dict[str, Any] = {k: int(v) if isinstance(v, bool) else v for k, v in result.items()}
    for key in ("out-data", "err-data"):
        if shown.get(key):
            shown[key] = _unpacked(shown[key])
    return shown


@handles("GET", f"{AGENT}/file-read")
async def read_file(call: Call) -> dict[str, Any]:
    """The content of a file inside the guest, up to `count` bytes."""
    params = call.params
    guest, wanted = _guest(call), params.get("count", MAX_READ)
    handle = await _done(guest, "file-open", {"path": params["file"]})
    if offset := params.get("offset"):
        place = {"handle": handle, "offset": offset, "whence": "set"}
        await _done(guest, "file-seek", place)
    content, size, at_end = "", 0, False
    while size < wanted and not at_end:
        portion = {"handle": handle, "count": min(_CHUNK, wanted - size)}
        read = await _done(guest, "file-read", portion)
        data = read["buf-b64"]
        content += _unpacked(data) if params.get("decode", 1) else data
        size += read["count"]
        at_end = bool(read.get("eof"))
    await _asked(guest, "file-close", {"handle": handle})
    shown: dict[str, Any] = {"content": content, "bytes-read": size}
    return shown if at_end else shown | {"truncated": 1}


@handles("POST", f"{AGENT}/file-write")
async def write_file(call: Call) -> None:
    """Replace the content of a file inside the guest."""
    params = call.params
    data = _packed(params["content"]) if params.get("encode", 1) else params["content"]
    guest = _guest(call)
    handle = await _done(guest, "file-open", {"path": params["file"], "mode": "wb"})
    await _done(guest, "file-write", {"handle": handle, "buf-b64": data})
    await _done(guest, "file-close", {"handle": handle})


for _method, _commands in COMMANDS.items():
    for _command in _commands:
        add_handler(_method, f"{AGENT}/{_command}", ask_agent)
