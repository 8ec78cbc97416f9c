"""A running lab: state folder, port, and the order of start and stop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from lab.app import Lab, Settings, make_routes
from lab.auth import ROOT, private_file
from lab.control import Control
from lab.engines import choice
from lab.engines.base import Engine
from lab.engines.lxc import machine_limits
from lab.engines.lxc.availability import unavailable
from lab.engines.lxc.images import default_folder
from lab.errors import TaskError
from lab.http import UPLOADS, Front
from lab.network.guard import network_of
from lab.network.system import NetworkError
from lab.realistic import Limits
from lab.requestlog import RequestLog
from lab.rootless.keeper import inside
from lab.seed import apply_seed, kept, read_seed
from lab.store import Store
from lab.tls import server_context

TOKEN_NAME = "practicum"  # noqa: S105 - the name of the token, not its secret
DATABASE = "lab.db"
FLUSH_S = 0.2
SHUTDOWN_S = 5.0  # what answers still on their way get


class ServeError(Exception):
    """The lab cannot be started; one line that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a lab is started with; port 0 takes a free one."""

    state: Path
    seed: Path
    host: str = "127.0.0.1"
    port: int = 0
    auth_delay_s: float = 3.0
    limits: Limits = field(default_factory=Limits)
    engine: str = "none"
    images: Path = field(default_factory=default_folder)


class Server:
    """One lab that answers on one port.

    `lab` and `port` are there after `start`; `added` says what the seed brought, `kept` what is
    there although the seed does not list it, `lacks` what guests will not find, and why.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock: TextIO | None = None
        self._runner: web.ServerRunner | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._control: Control | None = None
        self.lab: Lab
        self.log: RequestLog
        self.port = 0
        self.added: list[str] = []
        self.kept: list[str] = []
        self.lacks: list[str] = []

    async def start(self) -> None:
        """Lock the state folder, open it, and listen."""
        state = self._options.state
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock_state(state)
        shutil.rmtree(state / UPLOADS, ignore_errors=True)  # bodies that a kill left half read
        seed = read_seed(self._options.seed)
        store = Store(state / DATABASE)
        settings = Settings(
            state=state, auth_delay_s=self._options.auth_delay_s, limits=self._options.limits
        )
        try:
            choice.check(state, store, self._options.engine)
        except choice.ChoiceError as error:
            store.close()
            raise ServeError(str(error)) from error
        self.added, self.kept = apply_seed(store, seed), kept(store, seed)
        self.lab = Lab(settings, store)
        if self._options.engine == "lxc":
            self.lab.engine = await self._containers()
        elif self._options.engine == "qemu":
            self.lab.engine = await self._machines()
        choice.note(state, self._options.engine)
        keep_token(self.lab)
        await self.lab.open()
        self.log = RequestLog(state / "requests.jsonl")
        self._control = Control(self.lab)
        await self._control.start()
        await self._listen()
        self._flusher = asyncio.create_task(self._flush())

    async def _containers(self) -> Engine:
        """The engine that runs guests as containers; `ServeError` where this machine cannot."""
        from lab.engines.lxc.engine import LxcEngine  # it reads most of our rooms

        state = self._options.state.absolute()
        if reason := unavailable(state / "guests"):
            raise ServeError(f"the lab's engine lxc cannot run here: {reason}")
        engine = LxcEngine(state, self._options.images, network_of(self.lab).plumb)
        await self._open(engine, engine.adopted, engine.open(self._hosts()))
        return engine

    async def _machines(self) -> Engine:
        """The engine whose guests are machines; `ServeError` where this machine cannot."""
        from lab.engines.qemu.availability import unavailable  # as above
        from lab.engines.qemu.engine import QemuEngine

        if reason := unavailable():
            raise ServeError(f"the lab's engine qemu cannot run here: {reason}")
        state = self._options.state.absolute()
        engine = QemuEngine(state, self._options.images, network_of(self.lab).plumb)
        await self._open(engine, engine.adopted, engine.open(self._hosts(), self.lab))
        return engine

    def _hosts(self) -> list[str]:
        return [str(node["name"]) for node in self.lab.nodes()]

    async def _open(self, engine: Engine, adopted: bool, opening: Awaitable[None]) -> None:
        """Open an engine; what it has made before it failed does not stay."""
        from lab.engines.lxc.engine import power_off  # as above; both have the same holder

        if lacking := network_of(self.lab).services.lacking():
            self.lacks.append(lacking)
        try:
            await opening
        except (TaskError, NetworkError) as error:
            if not adopted:
                await power_off(self._options.state.absolute())
            raise ServeError(f"the lab's engine {engine.name} cannot run here: {error}") from error
        if inside() and (lacking := machine_limits.lacking()):
            self.lacks.append(lacking)

    async def _listen(self) -> None:
        front = Front(self.lab, make_routes(), self.log)
        self._runner = web.ServerRunner(
            web.Server(front, access_log=None), shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        site = web.TCPSite(
            self._runner,
            self._options.host,
            self._options.port,
            ssl_context=server_context(self._options.state),
            backlog=512,
        )
        try:
            await site.start()
        except OSError as error:
            raise ServeError(
                f"port {self._options.port} of {self._options.host} cannot be used "
                f"({error.strerror}); choose another one with --port"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self.log.flush()

    async def stop(self) -> None:
        """Stop listening, end tasks, and close the store; safe after a failed start."""
        if self._flusher is not None:
            self._flusher.cancel()
        if self._control is not None:
            await self._control.stop()
        if hasattr(self, "lab"):
            self.lab.faults.clear()  # what hangs may end
            await self.lab.terminals.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if hasattr(self, "lab"):
            await self.lab.close()
        if hasattr(self, "log"):
            self.log.close()
        if self._lock is not None:
            self._lock.close()


def lock_state(state: Path) -> TextIO:
    """Hold the state folder for this process; `ServeError` when another lab has it."""
    path = state / "lab.pid"
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ServeError(
            f"{state} belongs to a running lab (process {holder}); stop it or use another folder"
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def keep_token(lab: Lab) -> None:
    """The file `token` with root's API token, which is registered without separated rights."""
    made = f"{ROOT}!{TOKEN_NAME}={uuid.uuid4()}"
    text = private_file(lab.settings.state / "token", made.encode()).decode().strip()
    name, _, secret = text.rpartition("=")
    if lab.store.get("token", name) is None:
        lab.authority.add_token(ROOT, TOKEN_NAME, secret, privsep=0, expire=0, of_lab=True)
        lab.store.commit()


def ready_line(server: Server, options: Options) -> dict[str, Any]:
    """What the program prints when it answers."""
    return {
        "endpoint": f"https://{options.host}:{server.port}",
        "pid": os.getpid(),
        "ca": str(options.state / "ca.pem"),
        "added": server.added,
        "kept": server.kept,
        "lacks": server.lacks,
    }
