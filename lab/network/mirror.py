"""A caching mirror of Debian's packages behind a service of the lab: apt-cacher-ng.

It has folders of this lab's own and a free port of loopback, is started when the first guest asks,
and ends with the lab's process, however that ends. It fetches from where this machine's apt does,
and nothing else: to guests without a way out it must not be one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from lab.network.system import NetworkError, run

PROGRAM = "apt-cacher-ng"
READY_S = 20.0
END_S = 5.0
POLL_S = 0.05
PORTS = range(20000, 32768)
"""It takes no port above; those below are given out to nobody by chance."""

_APART = ("setpriv", "--pdeathsig", "TERM", "--no-new-privs")
_NO_RIGHTS = ("--bounding-set=-all", "--inh-caps=-all")
_FORMAT = "$(REPO_URI) $(RELEASE) $(ORIGIN)"
_log = logging.getLogger(__name__)


def lacking() -> str | None:
    """Why there can be no mirror here, in a sentence that says what to do; None if there can."""
    if shutil.which(PROGRAM) is None:
        return f"guests have no mirror of packages: {PROGRAM} is missing; on Debian type: " + (
            f"apt install --no-install-recommends {PROGRAM}"
        )
    return None


class Mirror:
    """The mirror of one lab, with its folders in `folder`. `sources` are addresses of Debian's
    packages and security updates; without them they are what apt says."""

    def __init__(self, folder: Path, sources: tuple[str, str] | None = None) -> None:
        self._folder = folder
        self._sources = sources
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._starting = asyncio.Lock()

    async def port(self) -> int:
        """Where it answers on loopback, started if it is not there; `NetworkError` if it cannot
        be."""
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                await self._start()
            return self._port

    async def _start(self) -> None:
        if reason := lacking():
            raise NetworkError(reason)
        for folder in ("cache", "log", "conf"):
            (self._folder / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        upstream = self._sources or await sources()
        for port in free_ports(str(self._folder)):
            text = settings(self._folder, port, *upstream, proxy=await _proxy())
            (self._folder / "conf" / "acng.conf").write_text(text)
            self._process = self._popen()
            if await self._answers(port):
                self._port = port
                return
        raise NetworkError(f"{PROGRAM} does not start; see {self._folder / 'said'}")

    def _popen(self) -> subprocess.Popen[bytes]:
        """The program, with no rights but its user's; made by the thread that lives longest, since
        its end ends the program."""
        apart = _APART + (_NO_RIGHTS if os.geteuid() == 0 else ())
        with (self._folder / "said").open("wb") as said:
            return subprocess.Popen(
                [*apart, PROGRAM, "-c", str(self._folder / "conf")],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    async def _answers(self, port: int) -> bool:
        """Whether it comes to listen; False when somebody took the port before."""
        process, loop = self._process, asyncio.get_running_loop()
        until = loop.time() + READY_S
        while process is not None and process.poll() is None and loop.time() < until:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_S)
                continue
            writer.close()
            return True
        self.close()
        return False

    def close(self) -> None:
        """End it; what it has fetched stays."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(folder: Path, port: int, debian: str, security: str, *, proxy: str = "") -> str:
    """The program's own settings: two archives by their paths, and nothing that is not in them."""
    lines = {
        "CacheDir": folder / "cache",
        "LogDir": folder / "log",
        "SupportDir": "/usr/lib/apt-cacher-ng",
        "BindAddress": "127.0.0.1",
        "Port": port,
        "ForeGround": 1,
        "VerboseLog": 0,
        "ForceManaged": 1,
        "Remap-debrep": f"/debian ; {debian}",
        "Remap-secrep": f"/debian-security ; {security}",
    }
    if proxy:
        lines["Proxy"] = proxy
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def free_ports(text: str) -> Iterable[int]:
    """Ports that nobody listens on, the first of them following from a text."""
    start = int(sha256(text.encode()).hexdigest()[:8], 16)
    for number in range(start, start + len(PORTS), 101):
        port = PORTS[number % len(PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


async def sources() -> tuple[str, str]:
    """Addresses of Debian's packages and of its security updates, as this machine's apt has them;
    `NetworkError` when it has none."""
    told = await run("apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages")
    return choose([tuple(line.split()) for line in told.splitlines()])


def choose(rows: Iterable[tuple[str, ...]]) -> tuple[str, str]:
    """The two among apt's (address, suite, origin); updates that apt does not use are beside the
    packages, as on every mirror."""
    debian = [
        (row[0].rstrip("/"), row[1])
        for row in rows
        if len(row) == 3 and row[2] == "Debian" and urlsplit(row[0]).scheme in ("http", "https")
    ]
    plain = [address for address, suite in debian if "-" not in suite and "/" not in suite]
    if not plain:
        raise NetworkError(
            "this machine's apt has no Debian mirror to fetch from; type: apt update"
        )
    updates = [address for address, suite in debian if suite.endswith("-security")]
    return plain[0], updates[0] if updates else f"{plain[0]}-security"


async def _proxy() -> str:
    """The proxy of this machine's apt, or nothing."""
    told = await run("apt-config", "shell", "PROXY", "Acquire::http::Proxy")
    found = told.strip().removeprefix("PROXY=").strip("'")
    return found if urlsplit(found).scheme == "http" else ""
