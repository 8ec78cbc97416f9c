"""The guest agent's commands, answered by the lab through the container's namespaces.

So they work when a participant has broken sshd, PAM or the network. Commands, arguments, answers
and the limits of what a program may print are those of QEMU's agent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from lab.engines.lxc.inside import Container, open_in
from lab.engines.lxc.programs import ENVIRONMENT, run
from lab.guests.passwords import hash_password

MAX_OUTPUT = 16 * 1024 * 1024
VERSION = "7.2.0"
_MODES = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "r+": os.O_RDWR,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}
_WHENCE = {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}

Answer = Any
Arguments = dict[str, Any]


@dataclass(slots=True)
class Execution:
    """A program that was started inside; its output as far as it is kept."""

    process: asyncio.subprocess.Process
    out: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    out_cut: bool = False
    errors_cut: bool = False
    done: bool = False
    work: asyncio.Task[None] | None = None


class Agent:
    """Answers for one guest from its start to its end; `limits` are files of control groups."""

    def __init__(self, container: Container, limits: list[str]) -> None:
        self._container, self._limits = container, limits
        self._executions: dict[int, Execution] = {}
        self._files: dict[int, int] = {}
        self._handles = 1000
        self._frozen = False
        self._commands: dict[str, Callable[[Arguments], Awaitable[Answer]]] = {
            "ping": self._ping,
            "info": self._info,
            "exec": self._exec,
            "exec-status": self._exec_status,
            "file-open": self._file_open,
            "file-seek": self._file_seek,
            "file-read": self._file_read,
            "file-write": self._file_write,
            "file-close": self._file_close,
            "set-user-password": self._set_password,
            "network-get-interfaces": self._interfaces,
            "get-host-name": self._host_name,
            "get-osinfo": self._system,
            "get-time": self._time,
            "fsfreeze-status": self._freeze_status,
            "fsfreeze-freeze": self._freeze,
            "fsfreeze-thaw": self._thaw,
        }

    async def ask(self, command: str, arguments: Arguments) -> Answer:
        """The answer; None when no system runs in the guest."""
        if not self._container.up:
            return None
        known = self._commands.get(command)
        if known is None:
            text = f"The command guest-{command} has not been found"
            return _refused(text, "CommandNotFound")
        try:
            return await known(arguments)
        except OSError as error:
            return _refused(f"{error.strerror}: {error.filename or command}")

    def close(self) -> None:
        """Forget the guest: its programs have ended, its files are closed."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        for each in self._executions.values():
            if each.work is not None:
                each.work.cancel()
        self._executions.clear()

    async def _ping(self, _arguments: Arguments) -> Answer:
        return {}

    async def _info(self, _arguments: Arguments) -> Answer:
        names = sorted(self._commands)
        commands = [
            {"name": f"guest-{name}", "enabled": True, "success-response": True} for name in names
        ]
        return {"version": VERSION, "supported_commands": commands}

    async def _exec(self, arguments: Arguments) -> Answer:
        if "path" not in arguments:
            return _refused("Parameter 'path' is missing")
        data = base64.b64decode(arguments.get("input-data", ""))
        command = [str(arguments["path"]), *map(str, arguments.get("arg", []))]
        process = await asyncio.create_subprocess_exec(
            *self._container.command("/bin/sh", "-c", 'exec "$@"', "sh", *command,
                                     limits=self._limits),
            stdin=asyncio.subprocess.PIPE if data else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**ENVIRONMENT, "HOME": "/root"},
            start_new_session=True,
        )  # fmt: skip
        execution = Execution(process)
        execution.work = asyncio.create_task(_follow(execution, data))
        self._executions[process.pid] = execution
        return {"pid": process.pid}

    async def _exec_status(self, arguments: Arguments) -> Answer:
        pid = int(arguments["pid"])
        found = self._executions.get(pid)
        if found is None:
            return _refused(f"Invalid parameter 'pid': PID {pid} does not exist")
        if not found.done:
            return {"exited": False}
        del self._executions[pid]
        code = found.process.returncode or 0
        answer: dict[str, Any] = {"exited": True}
        answer |= {"signal": -code} if code < 0 else {"exitcode": code}
        for name, data, cut in (("out", found.out, found.out_cut),
                                ("err", found.errors, found.errors_cut)):  # fmt: skip
            if data:
                answer[f"{name}-data"] = base64.b64encode(data).decode()
            if cut:
                answer[f"{name}-truncated"] = True
        return answer

    async def _file_open(self, arguments: Arguments) -> Answer:
        path, mode = str(arguments["path"]), str(arguments.get("mode", "r")).replace("b", "")
        if mode not in _MODES:
            return _refused(f"invalid file open mode '{mode}'")
        try:
            descriptor = open_in(self._container.root, path, _MODES[mode])
        except OSError as error:
            text = f"failed to open file '{path}' (mode: '{mode}'): {error.strerror}"
            return _refused(text)
        self._handles += 1
        self._files[self._handles] = descriptor
        return self._handles

    def _file(self, arguments: Arguments) -> int:
        handle = int(arguments["handle"])
        if handle not in self._files:
            raise OSError(0, f"handle '{handle}' has not been found")
        return self._files[handle]

    async def _file_seek(self, arguments: Arguments) -> Answer:
        whence = _WHENCE[str(arguments.get("whence", "set"))]
        return {"position": os.lseek(self._file(arguments), int(arguments["offset"]), whence),
                "eof": False}  # fmt: skip

    async def _file_read(self, arguments: Arguments) -> Answer:
        count = int(arguments.get("count", 4096))
        data = os.read(self._file(arguments), count)
        text = base64.b64encode(data).decode()
        return {"count": len(data), "buf-b64": text, "eof": len(data) < count}

    async def _file_write(self, arguments: Arguments) -> Answer:
        data = base64.b64decode(arguments["buf-b64"])
        descriptor, written = self._file(arguments), 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        return {"count": written, "eof": False}

    async def _file_close(self, arguments: Arguments) -> Answer:
        descriptor = self._file(arguments)
        del self._files[int(arguments["handle"])]
        os.close(descriptor)
        return {}

    async def _set_password(self, arguments: Arguments) -> Answer:
        secret = base64.b64decode(arguments["password"]).decode()
        hashed = secret if arguments.get("crypted") else hash_password(secret)
        line = f"{arguments['username']}:{hashed}\n".encode()
        # With a hash given, chpasswd asks no PAM.
        command = self._container.command("/usr/sbin/chpasswd", "-e", limits=self._limits)
        code, _, errors = await run(*command, given=line, check=False)
        if code:
            told = errors.decode(errors="replace").strip().rpartition("\n")[2]
            return _refused(f"child process has failed to set user password: {told}")
        return {}

    async def _in(self, namespace: str, *command: str) -> str:
        entered = ("nsenter", "-t", str(self._container.init), namespace)
        return (await run(*entered, "--", *command))[1].decode()

    async def _interfaces(self, _arguments: Arguments) -> Answer:
        links = json.loads(await self._in("--net", "ip", "-json", "-s", "address"))
        return [_interface(link) for link in links]

    async def _host_name(self, _arguments: Arguments) -> Answer:
        return {"host-name": (await self._in("--uts", "uname", "-n")).strip()}

    async def _system(self, _arguments: Arguments) -> Answer:
        descriptor = open_in(self._container.root, "/etc/os-release", os.O_RDONLY)
        with os.fdopen(descriptor) as file:
            rows = [line.rstrip("\n").split("=", 1) for line in file if "=" in line]
        found = {key.lower().replace("_", "-"): value.strip("'\"") for key, value in rows}
        wanted = ("id", "name", "pretty-name", "version", "version-id")
        kernel = os.uname()
        return {key: found[key] for key in wanted if key in found} | {
            "kernel-release": kernel.release,
            "kernel-version": kernel.version,
            "machine": kernel.machine,
        }

    async def _time(self, _arguments: Arguments) -> Answer:
        return time.time_ns()

    async def _freeze_status(self, _arguments: Arguments) -> Answer:
        return "frozen" if self._frozen else "thawed"

    async def _freeze(self, _arguments: Arguments) -> Answer:
        # What a guest writes is in files of the machine already; a snapshot stops its processes.
        self._frozen = True
        return 1

    async def _thaw(self, _arguments: Arguments) -> Answer:
        frozen, self._frozen = self._frozen, False
        return int(frozen)


def _refused(text: str, kind: str = "GenericError") -> Answer:
    return {"error": {"class": kind, "desc": text}}


async def _follow(execution: Execution, data: bytes) -> None:
    """Feed a program, keep what it prints up to the limit, and wait for its end."""

    async def feed() -> None:
        if execution.process.stdin is not None:
            try:
                execution.process.stdin.write(data)
                await execution.process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has not read all of its input
            execution.process.stdin.close()

    async def keep(stream: asyncio.StreamReader | None, kept: bytearray) -> bool:
        cut = False
        while stream is not None and (piece := await stream.read(65_536)):
            room = MAX_OUTPUT - len(kept)
            kept += piece[:room]
            cut = cut or len(piece) > room
        return cut

    _, execution.out_cut, execution.errors_cut = await asyncio.gather(
        feed(),
        keep(execution.process.stdout, execution.out),
        keep(execution.process.stderr, execution.errors),
    )
    await execution.process.wait()
    execution.done = True


def _interface(link: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": link["ifname"],
        "hardware-address": link.get("address", "00:00:00:00:00:00"),
        "ip-addresses": [
            {
                "ip-address": each["local"],
                "ip-address-type": "ipv4" if each["family"] == "inet" else "ipv6",
                "prefix": each["prefixlen"],
            }
            for each in link.get("addr_info", [])
        ],
    }
    statistics = link.get("stats64")
    if statistics:
        found["statistics"] = {
            f"{way}-{ours}": statistics[way].get(theirs, 0)
            for way in ("rx", "tx")
            for ours, theirs in (("bytes", "bytes"), ("packets", "packets"),
                                 ("errs", "errors"), ("dropped", "dropped"))
        }  # fmt: skip
    return found
